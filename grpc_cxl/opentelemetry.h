// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_OPENTELEMETRY_H_
#define GRPC_CXL_OPENTELEMETRY_H_

#include <memory>

#include "absl/status/status.h"
#include "opentelemetry/metrics/meter_provider.h"
#include "opentelemetry/trace/tracer_provider.h"

namespace grpc_cxl {

struct OpenTelemetryOptions {
  std::shared_ptr<opentelemetry::metrics::MeterProvider> meter_provider;  // null: no metrics
  std::shared_ptr<opentelemetry::trace::TracerProvider> tracer_provider;  // null: no spans
  // Whether direct calls that come to this process's servers are recorded. To gRPC's own plugin
  // they are calls of an in-process channel, which it records: say no where it is registered.
  bool server_calls = true;
};

// Records this process's direct calls (direct_calls.h), streams among them, as gRPC's own
// OpenTelemetry plugin records the others, from now on until the process ends:
//
//   grpc_cxl::ObserveWithOpenTelemetry({.meter_provider = meters, .tracer_provider = tracers});
//
// Who records what, so that no call is counted twice:
//
//                               here                    gRPC's plugin, where it is registered
//   direct call, at its client  attempt, call, spans    no attempt; a span of the call
//   direct call, at its server  call, span              call, span: set server_calls to false
//   call over HTTP/2            nothing                 all
//   grpc.cxl.*                  all                     nothing
//
// A direct call that its server hands back is an attempt here that ended UNAVAILABLE; the call goes
// on as another attempt at a replica, or over HTTP/2. A one-way call (one_way.h) that goes through
// memory ends OK at its client as soon as it is sent.
//
// Metrics, from the meter "grpc_cxl", with the names, units and attributes of gRFC A66:
//   grpc.client.attempt.started, .duration, .sent_total_compressed_message_size,
//   .rcvd_total_compressed_message_size, and grpc.client.call.duration: by grpc.method,
//   grpc.target and, but for "started", grpc.status
//   grpc.server.call.started, .duration, .sent_total_compressed_message_size,
//   .rcvd_total_compressed_message_size: by grpc.method and, but for "started", grpc.status. The
//   method is "other" if its descriptor is not linked into the program
//   grpc.cxl.connections: now, by grpc.cxl.path: memory, network
//   grpc.cxl.connections.made: of channels so far, by grpc.cxl.path
//   grpc.cxl.sent, grpc.cxl.received: bytes of messages of 16 KiB and more, by grpc.cxl.how:
//   in_place, block, ring (payload_counters.h)
//   grpc.cxl.http2_calls: calls that were not direct, by grpc.cxl.reason: a counter of
//   DirectCallStats (direct_calls.h); "stream" of streams
//   grpc.cxl.sleeps: of polling threads, each of which the kernel has to wake up
//   grpc.cxl.wake_up: what that takes in nanoseconds, as the slowest polling thread has learned
// Give the histograms the buckets of A66 by views: those of the SDK suit milliseconds.
//
// Spans, from the tracer "grpc_cxl", with the names of gRFC A72: "Sent.package.Service/Method" of
// the call, in it "Attempt.package.Service/Method", and in that the server's,
// "Recv.package.Service/Method". The parent of the call is what `traceparent` in its metadata
// names, else the active span. W3C Trace Context goes with the call. The handler finds that of the
// server's span in its client_metadata(), and so ClientContextFor() (client_context.h) passes it
// on. A call that its server hands back, or that finds no space, leaves two spans with an event
// "made elsewhere".
//
// Spans may end on polling threads: let a batch processor export them. While nobody observes, a
// call costs one load. The providers are kept until the process ends: shut the SDK's down before
// that. FAILED_PRECONDITION the second time. Thread-safe. Tested with opentelemetry-cpp 1.28; the
// rows about gRPC's plugin are from its source.
absl::Status ObserveWithOpenTelemetry(const OpenTelemetryOptions& options);

}  // namespace grpc_cxl

#endif  // GRPC_CXL_OPENTELEMETRY_H_
