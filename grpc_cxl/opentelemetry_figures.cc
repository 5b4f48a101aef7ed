// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/opentelemetry_figures.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "grpc_cxl/event_engine/status_snapshot.h"
#include "opentelemetry/common/attribute_value.h"
#include "opentelemetry/metrics/observer_result.h"

namespace grpc_cxl::internal {
namespace {

namespace otel = opentelemetry;
using otel::nostd::string_view;

// Where a figure goes, with an attribute if that has a name.
class Sink {
 public:
  explicit Sink(otel::metrics::ObserverResult& result)
      : result_(*otel::nostd::get<otel::nostd::shared_ptr<otel::metrics::ObserverResultT<int64_t>>>(
            result)) {}

  void operator()(const char* attribute, const char* value, uint64_t figure) const {
    std::vector<std::pair<string_view, otel::common::AttributeValue>> attributes;
    if (*attribute != '\0') attributes.emplace_back(attribute, value);
    result_.Observe(static_cast<int64_t>(figure), attributes);
  }

 private:
  otel::metrics::ObserverResultT<int64_t>& result_;
};

using Read = void (*)(const StatusPage& page, const Sink& sink);

}  // namespace

OpenTelemetryFigures::OpenTelemetryFigures(otel::metrics::Meter& meter) {
  const auto observe = [this](Instrument instrument, Read read) {
    instrument->AddCallback(
        [](otel::metrics::ObserverResult result, void* state) {
          reinterpret_cast<Read>(state)(TakeStatusSnapshot(), Sink(result));
        },
        reinterpret_cast<void*>(read));
    instruments_.push_back(std::move(instrument));
  };
  observe(meter.CreateInt64ObservableUpDownCounter("grpc.cxl.connections", "Connections now",
                                                   "{connection}"),
          [](const StatusPage& page, const Sink& sink) {
            sink("grpc.cxl.path", "memory",
                 page.connections.size() + page.process.connections_not_shown);
            sink("grpc.cxl.path", "network",
                 page.network_peers.size() + page.process.network_peers_not_shown);
          });
  observe(meter.CreateInt64ObservableCounter("grpc.cxl.connections.made",
                                             "Connections that channels have made", "{connection}"),
          [](const StatusPage& page, const Sink& sink) {
            sink("grpc.cxl.path", "memory", page.process.memory_connections);
            sink("grpc.cxl.path", "network", page.process.network_connections);
          });
  observe(meter.CreateInt64ObservableCounter("grpc.cxl.sent", "Bytes of large messages sent", "By"),
          [](const StatusPage& page, const Sink& sink) {
            sink("grpc.cxl.how", "in_place", page.process.sent_in_place);
            sink("grpc.cxl.how", "block", page.process.sent_by_block);
            sink("grpc.cxl.how", "ring", page.process.sent_by_ring);
          });
  observe(meter.CreateInt64ObservableCounter("grpc.cxl.received",
                                             "Bytes of large messages received", "By"),
          [](const StatusPage& page, const Sink& sink) {
            sink("grpc.cxl.how", "in_place", page.process.received_in_place);
            sink("grpc.cxl.how", "block", page.process.received_from_block);
            sink("grpc.cxl.how", "ring", page.process.received_from_ring);
          });
  observe(meter.CreateInt64ObservableCounter("grpc.cxl.http2_calls", "Calls that were not direct",
                                             "{call}"),
          [](const StatusPage& page, const Sink& sink) {
            const auto& process = page.process;
            for (const auto& [reason, count] :
                 {std::pair("not_taken", process.not_taken),
                  std::pair("no_connection", process.no_connection),
                  std::pair("not_eligible", process.not_eligible),
                  std::pair("too_large", process.too_large), std::pair("no_slot", process.no_slot),
                  std::pair("excluded_channel", process.excluded_channel),
                  std::pair("global_interceptor", process.global_interceptor),
                  std::pair("no_descriptor", process.no_descriptor),
                  std::pair("stream", process.http2_streams)}) {
              sink("grpc.cxl.reason", reason, count);
            }
          });
  observe(
      meter.CreateInt64ObservableCounter("grpc.cxl.sleeps", "Sleeps of polling threads", "{sleep}"),
      [](const StatusPage& page, const Sink& sink) {
        uint64_t all = 0;
        for (const auto& thread : page.threads) all += thread.sleeps;
        sink("", "", all);
      });
  observe(meter.CreateInt64ObservableGauge("grpc.cxl.wake_up", "What a wake-up takes", "ns"),
          [](const StatusPage& page, const Sink& sink) {
            uint64_t most = 0;
            for (const auto& thread : page.threads) most = std::max(most, thread.wake_up);
            sink("", "", most);
          });
}

}  // namespace grpc_cxl::internal
