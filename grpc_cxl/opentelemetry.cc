// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/opentelemetry.h"

#include <google/protobuf/descriptor.h>

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "grpc_cxl/base/steady_clock.h"
#include "grpc_cxl/direct/call_observer.h"
#include "grpc_cxl/direct/grpc_version.h"
#include "grpc_cxl/opentelemetry_figures.h"
#include "grpc_cxl/status/call_outcomes.h"
#include "opentelemetry/context/propagation/text_map_propagator.h"
#include "opentelemetry/context/runtime_context.h"
#include "opentelemetry/metrics/meter.h"
#include "opentelemetry/metrics/sync_instruments.h"
#include "opentelemetry/trace/context.h"
#include "opentelemetry/trace/propagation/http_trace_context.h"
#include "opentelemetry/trace/tracer.h"

namespace grpc_cxl {
namespace {

namespace otel = opentelemetry;
using internal::CallObserver;
using internal::ObservedCall;
using otel::nostd::string_view;

string_view View(absl::string_view text) { return {text.data(), text.size()}; }

// The metadata of a call, as a propagator sees them.
class Carrier final : public otel::context::propagation::TextMapCarrier {
 public:
  explicit Carrier(ObservedCall::Metadata* metadata) : metadata_(*metadata) {}

  string_view Get(string_view key) const noexcept override {
    const auto found = metadata_.find(std::string(key.data(), key.size()));
    return found == metadata_.end() ? string_view() : View(found->second);
  }
  void Set(string_view key, string_view value) noexcept override {
    const std::string name(key.data(), key.size());
    metadata_.erase(name);
    metadata_.emplace(name, std::string(value.data(), value.size()));
  }

 private:
  ObservedCall::Metadata& metadata_;
};

// The instruments of one end's calls. Null without metrics.
struct Instruments {
  otel::nostd::unique_ptr<otel::metrics::Counter<uint64_t>> started;
  otel::nostd::unique_ptr<otel::metrics::Histogram<double>> duration, call_duration;
  otel::nostd::unique_ptr<otel::metrics::Histogram<uint64_t>> sent, received;
};

Instruments Make(otel::metrics::Meter& meter, const std::string& prefix, const char* unit) {
  Instruments made;
  made.started = meter.CreateUInt64Counter(prefix + ".started", "Number that have begun", unit);
  made.duration = meter.CreateDoubleHistogram(prefix + ".duration", "Time from begin to end", "s");
  const char* const size = ".%s_total_compressed_message_size";
  made.sent = meter.CreateUInt64Histogram(absl::StrReplaceAll(prefix + size, {{"%s", "sent"}}),
                                          "Bytes of messages sent", "By");
  made.received = meter.CreateUInt64Histogram(absl::StrReplaceAll(prefix + size, {{"%s", "rcvd"}}),
                                              "Bytes of messages received", "By");
  return made;
}

using Attributes = std::vector<std::pair<string_view, otel::common::AttributeValue>>;
using Span = otel::nostd::shared_ptr<otel::trace::Span>;

// What all calls share.
struct Shared {
  otel::nostd::shared_ptr<otel::trace::Tracer> tracer;  // null: no spans
  Instruments client, server;
};

class Call final : public ObservedCall {
 public:
  Call(Shared& shared, std::string method, std::string target, bool client)
      : shared_(shared),
        instruments_(client ? shared.client : shared.server),
        method_(std::move(method)),
        target_(std::move(target)),
        client_(client),
        start_ns_(internal::SteadyNs()) {}

  ~Call() override {
    for (const Span& span : {inner_, outer_}) {
      if (span != nullptr && !ended_) span->AddEvent("made elsewhere");
    }
    EndSpans();
  }

  void Annotate(Metadata* metadata) override {
    if (shared_.tracer == nullptr) return;
    Carrier carrier(metadata);
    otel::trace::propagation::HttpTraceContext propagator;
    otel::context::Context none;
    otel::context::Context parent = propagator.Extract(carrier, none);
    if (client_ && !otel::trace::GetSpan(parent)->GetContext().IsValid()) {
      parent = otel::context::RuntimeContext::GetCurrent();
    }
    otel::trace::StartSpanOptions options;
    options.kind = client_ ? otel::trace::SpanKind::kClient : otel::trace::SpanKind::kServer;
    options.parent = parent;
    outer_ = shared_.tracer->StartSpan(absl::StrCat(client_ ? "Sent." : "Recv.", method_), options);
    if (client_) {
      options.parent = outer_->GetContext();
      inner_ = shared_.tracer->StartSpan(
          absl::StrCat("Attempt.", method_),
          {{"previous-rpc-attempts", uint64_t{0}}, {"transparent-retry", false}}, options);
    }
    otel::context::Context its = otel::trace::SetSpan(none, client_ ? inner_ : outer_);
    if (!otel::trace::GetSpan(its)->GetContext().IsValid())
      return;  // of a provider that does nothing
    metadata->erase("tracestate");
    propagator.Inject(carrier, its);
  }

  void Began(size_t request_bytes) override {
    BeganStream();
    is_stream_ = false;
    client_ ? Sent(request_bytes) : Received(request_bytes);
  }

  void BeganStream() override {
    is_stream_ = true;
    if (instruments_.started == nullptr) return;
    Attributes attributes = OfCall();
    instruments_.started->Add(1, attributes);
  }

  void Sent(size_t message_bytes) override {
    AddEvent("Outbound message", sent_.messages++, message_bytes);
    sent_.bytes += message_bytes;
  }

  void Received(size_t message_bytes) override {
    AddEvent("Inbound message", received_.messages++, message_bytes);
    received_.bytes += message_bytes;
  }

  void Ended(uint32_t code, absl::string_view text, size_t response_bytes) override {
    if (!is_stream_ && code == 0) client_ ? Received(response_bytes) : Sent(response_bytes);
    EndAttempt(code, text);
    if (instruments_.call_duration != nullptr) {
      const Attributes attributes = OfEnd(code);
      instruments_.call_duration->Record(Seconds(), attributes, otel::context::Context());
    }
    SetStatus(outer_, code, text);
    ended_ = true;
    EndSpans();
  }

  void NotTaken() override {
    constexpr uint32_t kUnavailable = 14;
    EndAttempt(kUnavailable, "the server has not taken the call");
  }

 private:
  Attributes OfCall() const {
    Attributes attributes = {{"grpc.method", View(method_)}};
    if (client_) attributes.emplace_back("grpc.target", View(target_));
    return attributes;
  }
  Attributes OfEnd(uint32_t code) const {
    Attributes attributes = OfCall();
    attributes.emplace_back("grpc.status", internal::kOutcomeNames[internal::OutcomeOf(code)]);
    return attributes;
  }

  double Seconds() const { return static_cast<double>(internal::SteadyNs() - start_ns_) / 1e9; }

  void EndAttempt(uint32_t code, absl::string_view text) {
    SetStatus(inner_, code, text);
    if (instruments_.duration == nullptr) return;
    const Attributes attributes = OfEnd(code);
    const otel::context::Context none;
    instruments_.duration->Record(Seconds(), attributes, none);
    instruments_.sent->Record(sent_.bytes, attributes, none);
    instruments_.received->Record(received_.bytes, attributes, none);
  }

  void AddEvent(string_view what, uint64_t number, size_t bytes) {
    const Span& span = client_ ? inner_ : outer_;
    if (span == nullptr) return;
    span->AddEvent(what, {{"sequence-number", number}, {"message-size", uint64_t{bytes}}});
  }

  void EndSpans() {
    for (Span* const span : {&inner_, &outer_}) {
      if (*span != nullptr) (*span)->End();
      *span = Span();
    }
  }

  static void SetStatus(const Span& span, uint32_t code, absl::string_view text) {
    if (span == nullptr) return;
    if (code == 0) return span->SetStatus(otel::trace::StatusCode::kOk);
    span->SetStatus(otel::trace::StatusCode::kError,
                    absl::StrCat(internal::kOutcomeNames[internal::OutcomeOf(code)], ": ", text));
  }

  Shared& shared_;
  Instruments& instruments_;
  const std::string method_, target_;
  const bool client_;
  const int64_t start_ns_;
  struct Messages {
    uint64_t messages = 0, bytes = 0;
  };
  Messages sent_, received_;
  bool is_stream_ = false;
  bool ended_ = false;
  Span outer_, inner_;  // of the call, and of a client's attempt; null without spans
};

// Which methods have a name of their own. Clients may call anything, so they are few.
class Methods {
 public:
  std::string NameOf(absl::string_view path) {
    const std::string name(absl::StripPrefix(path, "/"));
    absl::MutexLock lock(mu_);
    if (known_.contains(name)) return name;
    // The pool may keep names that it was asked for in vain, and a hostile client has many.
    if (unknown_ == kMostUnknown || name.size() > kLongest) return "other";
    if (google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(
            absl::StrReplaceAll(name, {{"/", "."}})) == nullptr) {
      ++unknown_;
      return "other";
    }
    known_.insert(name);
    return name;
  }

 private:
  static constexpr size_t kMostUnknown = 65'536, kLongest = 1024;
  absl::Mutex mu_;
  std::set<std::string> known_ ABSL_GUARDED_BY(mu_);
  size_t unknown_ ABSL_GUARDED_BY(mu_) = 0;  // questions, not names
};

class Observer final : public CallObserver {
 public:
  explicit Observer(const OpenTelemetryOptions& options)
      : meters_(options.meter_provider), observes_servers_(options.server_calls) {
    const std::string version(internal::GrpcVersion());
    if (options.tracer_provider != nullptr) {
      shared_.tracer = options.tracer_provider->GetTracer("grpc_cxl", version);
    }
    if (meters_ == nullptr) return;
    meter_ = meters_->GetMeter("grpc_cxl", version);
    shared_.client = Make(*meter_, "grpc.client.attempt", "{attempt}");
    shared_.client.call_duration =
        meter_->CreateDoubleHistogram("grpc.client.call.duration", "Time from begin to end", "s");
    shared_.server = Make(*meter_, "grpc.server.call", "{call}");
  }

  // Once there is no other observer.
  void Begin() {
    if (meter_ != nullptr) figures_ = std::make_unique<internal::OpenTelemetryFigures>(*meter_);
  }

  std::unique_ptr<ObservedCall> AtClient(absl::string_view method,
                                         absl::string_view target) override {
    return std::make_unique<Call>(shared_, std::string(absl::StripPrefix(method, "/")),
                                  std::string(target), /*client=*/true);
  }
  std::unique_ptr<ObservedCall> AtServer(absl::string_view method) override {
    if (!observes_servers_) return nullptr;
    return std::make_unique<Call>(shared_, methods_.NameOf(method), "", /*client=*/false);
  }

 private:
  const std::shared_ptr<otel::metrics::MeterProvider> meters_;
  const bool observes_servers_;
  otel::nostd::shared_ptr<otel::metrics::Meter> meter_;
  Shared shared_;
  Methods methods_;
  std::unique_ptr<internal::OpenTelemetryFigures> figures_;
};

}  // namespace

absl::Status ObserveWithOpenTelemetry(const OpenTelemetryOptions& options) {
  auto made = std::make_unique<Observer>(options);
  Observer* const observer = made.get();
  if (!CallObserver::Set(std::move(made))) {
    return absl::FailedPreconditionError(
        "the direct calls of this process are observed already: call ObserveWithOpenTelemetry() "
        "once");
  }
  observer->Begin();
  return absl::OkStatus();
}

}  // namespace grpc_cxl
