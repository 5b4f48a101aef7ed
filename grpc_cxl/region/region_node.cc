#include "grpc_cxl/region/region_node.h"

#include <pthread.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/base/no_destructor.h"
#include "absl/log/check.h"
#include "absl/log/log.h"
#include "absl/strings/str_cat.h"
#include "grpc_cxl/region/region_allocator.h"

namespace grpc_cxl::internal {
namespace {

constexpr absl::Duration kShortestLook = absl::Milliseconds(1);
constexpr absl::Duration kLongestLook = absl::Milliseconds(10);

struct Nodes {
  absl::Mutex mu;
  std::map<std::pair<std::string, uint32_t>, std::shared_ptr<RegionNode>> nodes ABSL_GUARDED_BY(mu);
};

}  // namespace

absl::StatusOr<std::shared_ptr<RegionNode>> RegionNode::Get(const RegionOptions& options) {
  static absl::NoDestructor<Nodes> all;
  absl::MutexLock lock(all->mu);
  const std::pair<std::string, uint32_t> key(options.path, options.host);
  if (const auto it = all->nodes.find(key); it != all->nodes.end()) return it->second;
  absl::StatusOr<std::shared_ptr<RegionNode>> node = Join(options);
  if (node.ok()) all->nodes.emplace(key, *node);
  return node;
}

absl::StatusOr<std::shared_ptr<RegionNode>> RegionNode::Join(const RegionOptions& options) {
  absl::StatusOr<std::shared_ptr<Region>> region = Region::Open(options);
  if (!region.ok()) return region.status();
  absl::StatusOr<std::unique_ptr<Membership>> member = Membership::Join(*region);
  if (!member.ok()) return member.status();
  std::shared_ptr<RegionNode> node(new RegionNode(*std::move(region), *std::move(member)));
  node->Start();
  return node;
}

RegionNode::RegionNode(std::shared_ptr<const Region> region, std::unique_ptr<Membership> member)
    : region_(std::move(region)),
      membership_(std::move(member)),
      late_(std::make_shared<std::atomic<uint64_t>>(0)),
      requests_seen_(region_->hosts(), UINT64_MAX),
      taken_(region_->hosts(), std::vector<uint64_t>(kHostRequests, 0)),
      renewed_(SteadyNow()) {}

void RegionNode::Start() {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "cxl_region");
    Run();
  });
}

RegionNode::~RegionNode() {
  {
    absl::MutexLock lock(mu_);
    stopping_ = true;
  }
  CHECK(thread_.get_id() != std::this_thread::get_id()) << "dropped by a callback";
  thread_.join();
  for (const auto& attempt : cancelled_) FreeRequest(attempt->index, attempt->id);
  for (const auto& [number, attempt] : attempts_) FreeRequest(attempt->index, attempt->id);
}

void RegionNode::Run() {
  absl::Duration pause = kShortestLook;
  for (;;) {
    Beat();
    bool busy = LookForRequests();
    busy |= LookForAnswers();
    absl::MutexLock lock(mu_);
    if (stopping_) return;
    busy |= std::exchange(hurry_, false);
    pause = busy ? kShortestLook : std::min(2 * pause, kLongestLook);
    const bool waits = !listeners_.empty() || !attempts_.empty();
    const auto wake = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return stopping_ || hurry_; };
    mu_.AwaitWithTimeout(absl::Condition(&wake),
                         waits ? pause : Membership::BeatInterval(region_->lease()));
  }
}

void RegionNode::Beat() {
  const absl::Time now = SteadyNow();
  const absl::Duration since = now - renewed_;
  if (since < Membership::BeatInterval(region_->lease())) return;
  if (since > region_->lease()) {
    // Before the beat goes on: our connections must not outlive what the peers think of us.
    late_->fetch_add(1, std::memory_order_relaxed);
    LOG(WARNING) << "this process renewed its lease of the region \"" << region_->path() << "\" "
                 << since << " after the last time, but must every " << region_->lease()
                 << "; its connections end, since their other ends take it for dead";
  }
  renewed_ = now;
  membership_->Renew();
  FreeAnswers();
}

absl::StatusOr<uint64_t> RegionNode::Listen(const std::string& name, OnRequest on_request) {
  auto listener = std::make_shared<Listener>();
  listener->on_request = std::move(on_request);
  const Region::HostLock host_lock(*region_);
  Membership::ClearUpAfterTheDead(*region_, &self());
  for (uint32_t i = 0; i < kHostNames; ++i) {
    const auto other = ReadName(*region_, region_->host(), i);
    if (!other.has_value() || other->text != name) continue;
    std::string who = "another process";
    if (other->owner.index < kHostProcesses) {
      const auto owner = ReadProcess(*region_, region_->host(), other->owner.index);
      if (owner.has_value()) who = absl::StrCat("process ", owner->pid);
    }
    return absl::AlreadyExistsError(absl::StrCat("it is already served on host ", region_->host(),
                                                 " of the region \"", region_->path(), "\" by ",
                                                 who, "; stop that server or choose another name"));
  }
  listener->index = FindFreeName(*region_);
  if (listener->index == kHostNames) {
    return absl::ResourceExhaustedError(absl::StrCat("host ", region_->host(), " of the region \"",
                                                     region_->path(), "\" serves ", kHostNames,
                                                     " names already, and cannot serve more"));
  }
  NameRecord record{.id = 0, .owner = self(), .text = name};
  WriteName(*region_, listener->index, record);
  listener->id = record.id;
  absl::MutexLock lock(mu_);
  const uint64_t number = next_number_++;
  listeners_.emplace(number, std::move(listener));
  look_at_all_.store(true, std::memory_order_relaxed);
  hurry_ = true;
  return number;
}

void RegionNode::StopListening(uint64_t number) {
  std::shared_ptr<Listener> listener;
  {
    absl::MutexLock lock(mu_);
    const auto it = listeners_.find(number);
    if (it == listeners_.end()) return;
    listener = std::move(it->second);
    listeners_.erase(it);
  }
  {
    const Region::HostLock host_lock(*region_);
    region_->Store(region_->mine().names[listener->index].id, uint64_t{0});
  }
  if (thread_.get_id() == std::this_thread::get_id()) return;
  absl::MutexLock lock(mu_);
  const auto done = [&]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return in_callback_of_ != number; };
  mu_.Await(absl::Condition(&done));
}

bool RegionNode::LookForRequests() {
  std::map<uint64_t, std::shared_ptr<Listener>> listeners;
  {
    absl::MutexLock lock(mu_);
    if (listeners_.empty()) return false;
    listeners = listeners_;
    if (look_at_all_.exchange(false, std::memory_order_relaxed)) {
      std::fill(requests_seen_.begin(), requests_seen_.end(), UINT64_MAX);
    }
  }
  bool found = false;
  for (uint32_t host = 0; host < region_->hosts(); ++host) {
    // Matched by the store in Connect(): requests that were made before it are in the table.
    const uint64_t made = region_->Load(host, region_->control(host).words.requests_made);
    if (made == requests_seen_[host]) continue;
    requests_seen_[host] = made;
    for (uint32_t i = 0; i < kHostRequests; ++i) {
      const auto request = ReadRequest(*region_, host, i);
      if (!request.has_value() || request->id == taken_[host][i]) continue;
      if (request->to_host != region_->host() || request->state != RequestState::kOpen) continue;
      const auto it = std::find_if(listeners.begin(), listeners.end(), [&](const auto& entry) {
        return entry.second->index == request->to_name && entry.second->id == request->to_name_id;
      });
      if (it == listeners.end() || request->owner.index >= kHostProcesses) continue;
      const auto client = ReadProcess(*region_, host, request->owner.index);
      taken_[host][i] = request->id;
      {
        absl::MutexLock lock(mu_);
        if (listeners_.count(it->first) == 0) continue;  // stopped meanwhile
        in_callback_of_ = it->first;
      }
      it->second->on_request({i, *request, client.has_value() ? client->pid : 0});
      absl::MutexLock lock(mu_);
      in_callback_of_ = 0;
      found = true;
    }
  }
  return found;
}

absl::StatusOr<RegionOffer> RegionNode::Accept(const Request& request, size_t bytes,
                                               const AnswerRecord& terms) {
  RegionOffer offer{.arena = std::nullopt, .connection = nullptr, .answer = terms};
  AnswerRecord& answer = offer.answer;
  answer.owner = self();
  answer.to_host = request.record.owner.host;
  answer.to_request = request.index;
  answer.to_request_id = request.record.id;
  uint32_t index;
  {
    const Region::HostLock host_lock(*region_);
    Membership::ClearUpAfterTheDead(*region_, &self());
    absl::StatusOr<uint32_t> reserved = ReserveMemory(*region_, bytes, answer);
    if (!reserved.ok()) return reserved.status();
    index = *reserved;
    absl::MutexLock lock(mu_);
    live_answers_.insert(answer.id);
  }
  const RegionConnection::Place place{RegionConnection::Role::kServer,
                                      index,
                                      answer.id,
                                      request.record.owner.host,
                                      request.index,
                                      request.record.id,
                                      request.pid};
  // From here on it is the connection that gives the memory back.
  offer.connection =
      MakeConnection(place, request.record.owner, [self = shared_from_this(), id = answer.id] {
        absl::MutexLock lock(self->mu_);
        self->live_answers_.erase(id);
      });
  absl::StatusOr<Arena> arena =
      region_->MapMemory(region_->host(), answer.offset, answer.bytes, /*zero=*/true);
  if (!arena.ok()) return arena.status();
  offer.arena = *std::move(arena);
  HostControl& mine = region_->mine();
  region_->Store(mine.answers[index].state, static_cast<uint32_t>(AnswerState::kOffered));
  const Region::HostLock host_lock(*region_);
  region_->Store(mine.words.answers_made,
                 mine.words.answers_made.load(std::memory_order_relaxed) + 1);
  return offer;
}

void RegionNode::Refuse(const Request& request, uint32_t refusal, const std::string& reason) {
  AnswerRecord answer;
  answer.state = AnswerState::kRefused;
  answer.refusal = refusal;
  answer.owner = self();
  answer.to_host = request.record.owner.host;
  answer.to_request = request.index;
  answer.to_request_id = request.record.id;
  answer.reason = reason.substr(0, kReasonWords * sizeof(uint64_t) - 1);
  const Region::HostLock host_lock(*region_);
  const uint32_t index = FindFreeAnswer(*region_);
  if (index == kHostAnswers) return;  // the client hears nothing, and gives up in time
  HostControl& mine = region_->mine();
  WriteAnswer(*region_, index, answer);
  region_->Store(mine.words.answers_made,
                 mine.words.answers_made.load(std::memory_order_relaxed) + 1);
}

// An answer in use keeps memory. It is of no more use when its process is done with it (one of
// ours that is not live any more, or a dead one's) and its client as well.
void RegionNode::FreeAnswers() {
  const Region::HostLock host_lock(*region_);
  HostControl& mine = region_->mine();
  std::map<uint64_t, std::unique_ptr<PeerLease>> clients;
  for (uint32_t i = 0; i < kHostAnswers; ++i) {
    if (mine.answers[i].id.load(std::memory_order_acquire) == 0) continue;
    const auto answer = ReadAnswer(*region_, region_->host(), i);
    if (!answer.has_value()) continue;
    if (answer->owner == self()) {
      absl::MutexLock lock(mu_);
      if (live_answers_.count(answer->id) != 0) continue;
    } else if (answer->owner.index < kHostProcesses &&
               mine.processes[answer->owner.index].incarnation.load(std::memory_order_acquire) ==
                   answer->owner.incarnation) {
      continue;  // its owner lives, or is yet to be cleared up after
    }
    std::unique_ptr<PeerLease> client;
    if (answer->to_host < region_->hosts() && answer->to_request < kHostRequests) {
      const auto request = ReadRequest(*region_, answer->to_host, answer->to_request);
      if (request.has_value() && request->id == answer->to_request_id) {
        const auto known = clients_.find(answer->id);
        client = known != clients_.end()
                     ? std::move(known->second)
                     : std::make_unique<PeerLease>(region_, self(), request->owner);
      }
    }
    if (client != nullptr && !client->ExpiredForGood()) {
      clients.emplace(answer->id, std::move(client));
      continue;
    }
    region_->Store(mine.answers[i].id, uint64_t{0});
  }
  clients_ = std::move(clients);
}

std::shared_ptr<RegionConnection> RegionNode::MakeConnection(const RegionConnection::Place& place,
                                                             const ProcessRef& peer,
                                                             std::function<void()> released) {
  return std::make_shared<RegionConnection>(region_, place,
                                            std::make_shared<PeerLease>(region_, self(), peer),
                                            late_, std::move(released));
}

}  // namespace grpc_cxl::internal
