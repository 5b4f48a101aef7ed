// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_REGION_REGION_LISTENER_H_
#define GRPC_CXL_REGION_REGION_LISTENER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/region/region.h"
#include "grpc_cxl/region/region_entries.h"

namespace grpc_cxl::internal {

// A client's request for a connection, as its server sees it.
struct RegionRequest {
  uint32_t index = 0;  // in the table of the client's host
  RequestRecord record;
  uint32_t pid = 0;  // of the client, as its own pid namespace numbers it; for people
};

// Serves names: enters them into its host's control, and looks for clients that ask for them. Its
// twin is another process's RegionConnector. Thread-safe.
class RegionListener {
 public:
  using OnRequest = std::function<void(const RegionRequest&)>;

  RegionListener(std::shared_ptr<const Region> region, const ProcessRef& self);

  // Serves `name` until StopListening(). ALREADY_EXISTS when a live process of this host does;
  // RESOURCE_EXHAUSTED when the directory is full. Other hosts may serve it as well: a client
  // takes the server of its own host, else that of the lowest host. Returns a number for
  // StopListening().
  absl::StatusOr<uint64_t> Listen(const std::string& name, OnRequest on_request);
  // Waits for a call of `on_request` that is under way, unless it is called from there.
  void StopListening(uint64_t listener);

  bool IsListening();

  // Calls `on_request` for every new request, without locks. Returns whether there was one. Always
  // from the same thread.
  bool LookForRequests();

 private:
  struct ServedName {
    uint32_t index;  // of its NameEntry
    uint64_t id;
    OnRequest on_request;
  };
  using ServedNames = std::map<uint64_t, std::shared_ptr<ServedName>>;

  // ALREADY_EXISTS when this host serves `name`.
  absl::Status CheckIsFree(const std::string& name) const;
  bool LookAt(uint32_t host, const ServedNames& names);
  // Whether the name with that number is still served, and was called.
  bool Call(uint64_t number, const ServedName& name, const RegionRequest& request);

  const std::shared_ptr<const Region> region_;
  const ProcessRef self_;

  absl::Mutex mu_;  // taken after a HostLock
  uint64_t next_number_ ABSL_GUARDED_BY(mu_) = 1;
  ServedNames names_ ABSL_GUARDED_BY(mu_);            // by their numbers
  uint64_t in_callback_of_ ABSL_GUARDED_BY(mu_) = 0;  // a name's number
  std::thread::id callback_thread_ ABSL_GUARDED_BY(mu_);
  bool look_at_all_ ABSL_GUARDED_BY(mu_) = false;  // a name is new: requests may precede it

  // Of the looking thread.
  std::vector<uint64_t> requests_seen_;       // counters, by host
  std::vector<std::vector<uint64_t>> taken_;  // ids of requests, by host and index
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_REGION_REGION_LISTENER_H_
