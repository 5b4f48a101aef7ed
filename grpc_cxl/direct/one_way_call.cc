// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/direct/one_way_call.h"

#include <google/protobuf/message.h>
#include <grpcpp/support/slice.h>

#include <climits>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "grpc_cxl/base/steady_clock.h"
#include "grpc_cxl/blocks/block_pool.h"
#include "grpc_cxl/calls/call_codec.h"
#include "grpc_cxl/direct/call_counters.h"
#include "grpc_cxl/direct/call_observer.h"
#include "grpc_cxl/direct/offer_call.h"
#include "grpc_cxl/direct/one_way_mark.h"
#include "grpc_cxl/direct/request_head.h"
#include "grpc_cxl/payload/block_slices.h"

namespace grpc_cxl::internal {
namespace {

using google::protobuf::Message;
using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::InterceptorBatchMethods;

// An outcome that nobody waits for. The request is made again elsewhere if it has not run.
void Ended(const CallRoute& link, BlockDescriptor lent, const OneWayRequest& request,
           const std::shared_ptr<BackgroundCalls>& background, const CallOutcome& outcome) {
  if (outcome.kind == CallOutcome::Kind::kNotRun) {
    if (lent.bytes > 0) link.blocks.pool->Revoke(lent);
    if (!background->Start(request)) CallCounters::OfProcess().one_way_failed.Add();
  } else if (outcome.kind != CallOutcome::Kind::kResponse) {
    CallCounters::OfProcess().one_way_failed.Add();
  } else if (link.score != nullptr) {
    link.score->Heard(SteadyNs());
  }
  link.CallOver();
}

}  // namespace

OneWayCall::OneWayCall(const DirectChannel& channel, std::shared_ptr<const CallRoute> link,
                       const MessageTypes& types, grpc::experimental::ClientRpcInfo* info,
                       std::unique_ptr<grpc::experimental::Interceptor> otherwise)
    : channel_(channel),
      link_(std::move(link)),
      types_(types),
      context_(info->client_context()),
      method_(info->method()),
      otherwise_(std::move(otherwise)) {}

void OneWayCall::Intercept(InterceptorBatchMethods* methods) {
  if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_INITIAL_METADATA) &&
      methods->GetSendInitialMetadata()->erase(kOneWayKey) > 0 && HandOver(methods)) {
    handed_over_ = true;
    return methods->Hijack();
  }
  if (handed_over_) {
    // The response stays as the application made it.
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_RECV_STATUS)) {
      *methods->GetRecvStatus() = grpc::Status::OK;
    }
    return methods->Proceed();
  }
  if (link_ == nullptr &&
      methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
    CallCounters::OfProcess().no_connection.Add();
    if (auto offer = channel_.routes->TakeOffer()) {
      otherwise_ = std::make_unique<OfferCall>(std::move(offer));
    }
  }
  if (otherwise_ != nullptr) return otherwise_->Intercept(methods);
  methods->Proceed();
}

bool OneWayCall::HandOver(InterceptorBatchMethods* methods) {
  if (!methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_MESSAGE) ||
      !IsMessageOf(methods->GetSendMessage(), *types_.request) || !IsPlain(*context_)) {
    return false;
  }
  // Then this call waits for its turn.
  if (link_ != nullptr && (link_->calls->Crowded() || link_->queue->IsFull())) {
    link_->calls->FreeUnwanted();
    if (link_->calls->Crowded() || link_->queue->IsFull()) return false;
  }
  const Message& message = *static_cast<const Message*>(methods->GetSendMessage());
  const size_t bytes = message.ByteSizeLong();
  // gRPC reports what it does not send.
  if (bytes > INT_MAX ||
      (channel_.max_send_bytes >= 0 && bytes > static_cast<size_t>(channel_.max_send_bytes))) {
    return false;
  }
  grpc::Slice slice(bytes);
  auto* const begin = const_cast<uint8_t*>(slice.begin());
  if (message.SerializeWithCachedSizesToArray(begin) != begin + bytes) return false;
  const OneWayRequest request{.method = method_,
                              .metadata = *methods->GetSendInitialMetadata(),
                              .deadline = context_->raw_deadline(),
                              .message = grpc::ByteBuffer(&slice, 1)};
  if (link_ != nullptr && Post(request)) {
    CallCounters::OfProcess().one_way.Add();
    link_->counters->calls.one_way.Add();
    return true;
  }
  // To a server with a capacity, the stream path would be a way around it: the call waits.
  if (link_ != nullptr && link_->queue->Queues()) return false;
  if (!channel_.background->Start(request)) return false;
  CallCounters::OfProcess().one_way.Add();
  return true;
}

bool OneWayCall::Post(const OneWayRequest& request) {
  RequestView view;
  view.method = request.method;
  std::vector<grpc::Slice> slices;
  std::unique_ptr<ObservedCall> observed;
  ObservedCall::Metadata annotated;
  if (CallObserver* const observer = CallObserver::Get()) {
    observed = observer->AtClient(method_, channel_.target);
  }
  if (observed != nullptr) {
    annotated = request.metadata;
    observed->Annotate(&annotated);
  }
  if (!SetTimeout(*context_, &view) ||
      !SetMetadata(channel_, observed != nullptr ? annotated : request.metadata, &view) ||
      !request.message.Dump(&slices).ok()) {
    return false;
  }
  ClientCallAreas& calls = *link_->calls;
  const size_t head_bytes = RequestHeadBytes(view);
  const size_t message_bytes = request.message.Length();
  const bool inside =
      message_bytes < kBlockThreshold && head_bytes + message_bytes <= calls.buffer_bytes();
  if (head_bytes > calls.buffer_bytes()) return false;
  const int slot = link_->queue->Acquire(view.priority);
  std::optional<BlockDescriptor> lent;
  if (slot >= 0 && !inside) lent = LendSlices(link_->blocks, slices, message_bytes, view.priority);
  if (slot < 0 || (!inside && !lent.has_value())) {
    if (slot >= 0) calls.Release(slot);
    link_->CallOver();
    return false;
  }
  view.block = lent.value_or(BlockDescriptor{});
  const size_t request_bytes = head_bytes + (inside ? message_bytes : 0);
  const absl::Span<char> buffer = calls.RequestBuffer(slot).subspan(0, request_bytes);
  EncodeRequestHead(view, request_bytes - head_bytes, buffer.subspan(0, head_bytes));
  if (inside) {
    size_t at = head_bytes;
    for (const grpc::Slice& slice : slices) {
      memcpy(buffer.data() + at, slice.begin(), slice.size());
      at += slice.size();
    }
  }
  calls.PostUnwanted(
      slot, request_bytes,
      [link = link_, lent = view.block, request, background = channel_.background](
          const CallOutcome& outcome) { Ended(*link, lent, request, background, outcome); },
      view.priority);
  if (observed != nullptr) {
    observed->Began(message_bytes);
    observed->Ended(grpc::StatusCode::OK, "", 0);
  }
  return true;
}

}  // namespace grpc_cxl::internal
