#ifndef GRPC_CXL_REGION_REGION_NODE_H_
#define GRPC_CXL_REGION_REGION_NODE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <unordered_set>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/arena/arena.h"
#include "grpc_cxl/region/membership.h"
#include "grpc_cxl/region/peer_lease.h"
#include "grpc_cxl/region/region.h"
#include "grpc_cxl/region/region_connection.h"
#include "grpc_cxl/region/region_entries.h"

namespace grpc_cxl::internal {

// What a client of a region hears when its request was taken.
struct RegionOffer {
  std::optional<Arena> arena;                    // empty without a connection
  std::shared_ptr<RegionConnection> connection;  // null: refused
  AnswerRecord answer;  // the sizes in it are the server's words, not yet checked
};

// This process as a member of a region: serves names, connects to names, and keeps its lease,
// by a thread of its own that looks at the other hosts' directories. The protocol is in
// region_layout.h.
//
// The thread beats every 50 ms (or a tenth of the lease); while this process listens or connects
// it looks every millisecond after something happened, and up to every 10 ms when nothing does.
// One look is a cached word, or without coherence a load from the region, for each
// host.
//
// Thread-safe. Callbacks come from that thread, without locks, and should not block: the lease
// must be renewed.
class RegionNode : public std::enable_shared_from_this<RegionNode> {
 public:
  // A client wants a connection. To be answered at any time by one of the two, at most once.
  struct Request {
    uint32_t index = 0;
    RequestRecord record;
    uint32_t pid = 0;  // of the client, as its own pid namespace numbers it; for people
  };
  using OnRequest = std::function<void(const Request&)>;

  // Of this process there is one for each region and host, made when first asked for, and it
  // stays as long as the process. Errors are those of Region::Open() and Membership::Join().
  static absl::StatusOr<std::shared_ptr<RegionNode>> Get(const RegionOptions& options);
  // One more; for tests. Connections keep it. Not to be dropped by a callback.
  static absl::StatusOr<std::shared_ptr<RegionNode>> Join(const RegionOptions& options);

  RegionNode(const RegionNode&) = delete;
  RegionNode& operator=(const RegionNode&) = delete;
  ~RegionNode();

  const Region& region() const { return *region_; }
  const ProcessRef& self() const { return membership_->self(); }

  // Serves `name` until StopListening(), which returns when no call of `on_request` is under
  // way (unless it is called from there). ALREADY_EXISTS when a live process of this host
  // does; RESOURCE_EXHAUSTED when the directory is full. Other hosts may serve it as well: a
  // client takes the server of its own host, else that of the lowest host.
  absl::StatusOr<uint64_t> Listen(const std::string& name, OnRequest on_request);
  void StopListening(uint64_t listener);

  // Takes a request: memory of at least `bytes` zero bytes, of which the client is told with
  // `terms` (sizes, features, coherence). Errors as ReserveMemory() and Region::MapMemory().
  // Zeroes the memory, which takes a while.
  absl::StatusOr<RegionOffer> Accept(const Request& request, size_t bytes,
                                     const AnswerRecord& terms);
  // Tells the client why not.
  void Refuse(const Request& request, uint32_t refusal, const std::string& reason);

  // Looks for a server of `name` and asks it. `on_done` is called once, unless Cancel() was
  // first. UNAVAILABLE when nobody serves the name or who does has died; a refusal comes as
  // an offer without connection, with the reason in its answer. Returns a number for Cancel().
  using OnDone = absl::AnyInvocable<void(absl::StatusOr<RegionOffer>)>;
  uint64_t Connect(const std::string& name, uint32_t features, OnDone on_done);
  // True when `on_done` will not be called.
  bool Cancel(uint64_t attempt);

 private:
  struct Listener {
    uint32_t index;  // of its NameEntry
    uint64_t id;
    OnRequest on_request;
  };
  struct Attempt {
    uint32_t index = 0;  // of its RequestEntry
    uint64_t id = 0;
    uint32_t to_host = 0;
    std::shared_ptr<PeerLease> server;
    uint64_t answers_seen = UINT64_MAX;
    OnDone on_done;
  };
  struct Target {
    uint32_t host, index;
    NameRecord name;
    std::shared_ptr<PeerLease> owner;
  };
  struct KnownServer {
    uint64_t name_id;
    std::shared_ptr<PeerLease> owner;
  };

  RegionNode(std::shared_ptr<const Region> region, std::unique_ptr<Membership> member);
  void Start();

  void Run();
  // Each returns whether anything happened.
  bool LookForRequests();
  bool LookForAnswers();
  // Frees answers of this host that nobody uses any more.
  void FreeAnswers();
  void Beat();

  absl::StatusOr<Target> FindName(const std::string& name);
  // What became of an attempt: nothing yet, an offer, or an error.
  std::optional<absl::StatusOr<RegionOffer>> LookForAnswer(Attempt& attempt);
  absl::StatusOr<RegionOffer> Open(const Attempt& attempt, uint32_t index,
                                   const AnswerRecord& answer);
  // Nothing when it is not that request any more.
  void FreeRequest(uint32_t index, uint64_t id);
  std::shared_ptr<RegionConnection> MakeConnection(const RegionConnection::Place& place,
                                                   const ProcessRef& peer,
                                                   std::function<void()> released);

  const std::shared_ptr<const Region> region_;
  const std::unique_ptr<Membership> membership_;
  // See RegionConnection. Shared: a connection may outlive us by a moment.
  const std::shared_ptr<std::atomic<uint64_t>> late_;

  absl::Mutex mu_;  // taken after a HostLock
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  bool hurry_ ABSL_GUARDED_BY(mu_) = false;  // something has begun: look soon
  uint64_t next_number_ ABSL_GUARDED_BY(mu_) = 1;
  std::map<uint64_t, std::shared_ptr<Listener>> listeners_ ABSL_GUARDED_BY(mu_);
  uint64_t in_callback_of_ ABSL_GUARDED_BY(mu_) = 0;  // a listener's number
  std::map<uint64_t, std::shared_ptr<Attempt>> attempts_ ABSL_GUARDED_BY(mu_);
  std::unordered_set<uint64_t> live_answers_ ABSL_GUARDED_BY(mu_);        // ids, of ours
  std::vector<std::shared_ptr<Attempt>> cancelled_ ABSL_GUARDED_BY(mu_);  // the thread frees them
  // Servers that were asked, by the host and index of their names: when one dies, the next
  // attempt need not wait for a lease to find that out.
  std::map<std::pair<uint32_t, uint32_t>, KnownServer> servers_ ABSL_GUARDED_BY(mu_);

  // Of the thread.
  std::vector<uint64_t> requests_seen_;                     // counters, by host
  std::vector<std::vector<uint64_t>> taken_;                // ids of requests, by host and index
  std::map<uint64_t, std::unique_ptr<PeerLease>> clients_;  // of answers to be freed, by id
  absl::Time renewed_;
  std::atomic<bool> look_at_all_{false};  // a name is new: requests may have come before it
  std::thread thread_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_REGION_REGION_NODE_H_
