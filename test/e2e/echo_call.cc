// SPDX-License-Identifier: Apache-2.0
#include "test/e2e/echo_call.h"

#include <cstring>

#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace grpc_cxl::e2e {
namespace {

std::string ToString(grpc::string_ref text) { return std::string(text.data(), text.size()); }

CallView::Entry MakeEntry(grpc::string_ref key, grpc::string_ref value) {
  CallView::Entry entry;
  entry.set_key(ToString(key));
  entry.set_value(ToString(value));
  return entry;
}

}  // namespace

std::string Pattern(size_t size, uint64_t seed) {
  std::string bytes(size, '\0');
  uint64_t state = seed * 2 + 1;
  for (size_t at = 0; at < size; at += sizeof(state)) {
    state = state * 6364136223846793005 + 1442695040888963407;  // Knuth's MMIX generator
    std::memcpy(&bytes[at], &state, std::min(sizeof(state), size - at));
  }
  return bytes;
}

EchoCall::EchoCall(ServiceControl* control, grpc::ServerContextBase* context)
    : control_(control), context_(context) {
  control_->Count(&ServiceControl::Counts::started);
  for (const auto& [key, value] : context_->client_metadata()) {
    if (key.starts_with("initial-")) context_->AddInitialMetadata(ToString(key), ToString(value));
    if (key.starts_with("trailing-")) context_->AddTrailingMetadata(ToString(key), ToString(value));
  }
}

EchoCall::~EchoCall() {
  if (context_->IsCancelled()) control_->Count(&ServiceControl::Counts::cancelled);
  control_->Count(&ServiceControl::Counts::finished);
}

void EchoCall::Add(const EchoRequest& request) {
  if (++requests_ == 1) {
    script_ = request.script();
    if (script_.cancel()) context_->TryCancel();
    if (script_.compress()) context_->set_compression_algorithm(GRPC_COMPRESS_GZIP);
  }
  payload_ = request.payload();
  checksum_ = absl::ExtendCrc32c(checksum_, payload_);
  control_->Count(&ServiceControl::Counts::requests);
}

bool EchoCall::MustWait() const { return script_.wait_at_gate() && requests_ == 1; }

bool EchoCall::WaitAtGate() {
  if (!MustWait()) return true;
  control_->Count(&ServiceControl::Counts::at_gate);
  while (!control_->GateOpens(absl::Milliseconds(1))) {
    if (context_->IsCancelled()) return false;
  }
  return true;
}

EchoResponse EchoCall::Respond() {
  EchoResponse response;
  response.set_requests(requests_);
  response.set_checksum(static_cast<uint32_t>(checksum_));
  if (script_.response_bytes() > 0) {
    response.set_payload(Pattern(script_.response_bytes(), responses_));
  } else {
    response.set_payload(payload_);
  }
  if (script_.describe() && responses_ == 0) *response.mutable_view() = View();
  ++responses_;
  control_->Count(&ServiceControl::Counts::responses);
  return response;
}

grpc::Status EchoCall::Finish() const {
  return grpc::Status(static_cast<grpc::StatusCode>(script_.code()), script_.message(),
                      script_.details());
}

CallView EchoCall::View() const {
  CallView view;
  view.set_peer(context_->peer());
  view.set_authority(ToString(context_->ExperimentalGetAuthority()));
  const absl::Time deadline = absl::FromChrono(context_->deadline());
  if (deadline < absl::Now() + absl::Hours(24 * 365)) {
    view.set_deadline_left_ms(absl::ToInt64Milliseconds(deadline - absl::Now()));
  }
  for (const auto& [key, value] : context_->client_metadata()) {
    *view.add_metadata() = MakeEntry(key, value);
  }
  const auto auth = context_->auth_context();
  view.set_authenticated(auth->IsPeerAuthenticated());
  view.set_identity_property(auth->GetPeerIdentityPropertyName());
  for (const auto& [key, value] : *auth) *view.add_auth_properties() = MakeEntry(key, value);
  return view;
}

}  // namespace grpc_cxl::e2e
