// SPDX-License-Identifier: Apache-2.0

// What a direct call leaves in OpenTelemetry's SDK: instruments by name, unit and attributes, and
// one trace from the caller's span to the handler.

#include "grpc_cxl/opentelemetry.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpc_cxl/one_way.h"
#include "gtest/gtest.h"
#include "opentelemetry/exporters/memory/in_memory_span_exporter.h"
#include "opentelemetry/sdk/metrics/data/metric_data.h"
#include "opentelemetry/sdk/metrics/export/metric_producer.h"
#include "opentelemetry/sdk/metrics/meter_provider.h"
#include "opentelemetry/sdk/metrics/metric_reader.h"
#include "opentelemetry/sdk/trace/simple_processor.h"
#include "opentelemetry/sdk/trace/span_data.h"
#include "opentelemetry/sdk/trace/tracer_provider.h"
#include "test/e2e/calls_fixture.h"
#include "test/e2e/lambda_server.h"

namespace grpc_cxl::e2e {
namespace {

namespace metrics = opentelemetry::sdk::metrics;
namespace nostd = opentelemetry::nostd;
namespace trace = opentelemetry::sdk::trace;
using ::testing::Contains;
using ::testing::Key;
using ::testing::StartsWith;

class Reader final : public metrics::MetricReader {
 public:
  metrics::AggregationTemporality GetAggregationTemporality(
      metrics::InstrumentType) const noexcept override {
    return metrics::AggregationTemporality::kCumulative;
  }

  // "name unit key=value ..." -> how often, or how much.
  std::map<std::string, double> Read() {
    std::map<std::string, double> all;
    Collect([&](metrics::ResourceMetrics& resource) {
      for (const auto& scope : resource.scope_metric_data_) {
        for (const auto& metric : scope.metric_data_) {
          for (const auto& point : metric.point_data_attr_) {
            all[Name(metric.instrument_descriptor, point.attributes)] = Value(point.point_data);
          }
        }
      }
      return true;
    });
    return all;
  }

 private:
  static std::string Name(const metrics::InstrumentDescriptor& descriptor,
                          const metrics::PointAttributes& attributes) {
    std::string name = absl::StrCat(descriptor.name_, " ", descriptor.unit_);
    for (const auto& [key, value] : attributes) {
      absl::StrAppend(&name, " ", key, "=", nostd::get<std::string>(value));
    }
    return name;
  }
  static double Value(const metrics::PointType& point) {
    if (const auto* histogram = nostd::get_if<metrics::HistogramPointData>(&point)) {
      const bool sizes = nostd::holds_alternative<int64_t>(histogram->sum_);
      return sizes ? static_cast<double>(nostd::get<int64_t>(histogram->sum_))
                   : static_cast<double>(histogram->count_);
    }
    if (const auto* sum = nostd::get_if<metrics::SumPointData>(&point)) {
      return static_cast<double>(nostd::get<int64_t>(sum->value_));
    }
    return 0;
  }
  bool OnForceFlush(std::chrono::microseconds) noexcept override { return true; }
  bool OnShutDown(std::chrono::microseconds) noexcept override { return true; }
};

template <typename Id>
std::string Hex(const Id& id) {
  std::string text(2 * Id::kSize, '0');
  id.ToLowerBase16(nostd::span<char, 2 * Id::kSize>(text.data(), text.size()));
  return text;
}

// What the process records: once for all tests.
class OpenTelemetryTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto exporter = std::make_unique<opentelemetry::exporter::memory::InMemorySpanExporter>();
    spans_ = exporter->GetData();
    tracers_ = std::make_shared<trace::TracerProvider>(
        std::make_unique<trace::SimpleSpanProcessor>(std::move(exporter)));
    auto meters = std::make_shared<metrics::MeterProvider>();
    meters->AddMetricReader(reader_);
    EXPECT_THAT(ObserveWithOpenTelemetry({.meter_provider = meters, .tracer_provider = tracers_}),
                absl_testing::IsOk());
  }

  // Has `call` made within a span, and expects those of the call to follow, each a child of the one
  // before. The last one's context, as `traceparent` has it.
  static std::string TraceOf(const std::function<void()>& call) {
    {
      const auto tracer = tracers_->GetTracer("test");
      auto mine = tracer->StartSpan("mine");
      const auto scope = tracer->WithActiveSpan(mine);
      call();
      mine->End();
    }
    const auto spans = spans_->GetSpans();
    EXPECT_EQ(spans.size(), 4u);
    std::map<std::string, const trace::SpanData*> by_name;
    for (const auto& span : spans) by_name[std::string(span->GetName())] = span.get();
    const trace::SpanData* parent = by_name["mine"];
    if (parent == nullptr) return "none";
    for (const char* prefix : {"Sent.", "Attempt.", "Recv."}) {
      const trace::SpanData* const span = by_name[absl::StrCat(prefix, "grpc_cxl.e2e.Echo/Unary")];
      if (span == nullptr) return absl::StrCat("no ", prefix);
      EXPECT_EQ(span->GetTraceId(), parent->GetTraceId()) << prefix;
      EXPECT_EQ(span->GetParentSpanId(), parent->GetSpanId()) << prefix;
      EXPECT_EQ(span->GetStatus(), opentelemetry::trace::StatusCode::kOk) << prefix;
      parent = span;
    }
    return absl::StrCat("00-", Hex(parent->GetTraceId()), "-", Hex(parent->GetSpanId()), "-0");
  }

  static inline const std::shared_ptr<Reader> reader_ = std::make_shared<Reader>();
  static inline std::shared_ptr<opentelemetry::exporter::memory::InMemorySpanData> spans_;
  static inline std::shared_ptr<opentelemetry::trace::TracerProvider> tracers_;
};

std::string TraceParent(grpc::CallbackServerContext* context) {
  const auto found = context->client_metadata().find("traceparent");
  return found == context->client_metadata().end()
             ? "none"
             : std::string(found->second.data(), found->second.size());
}

TEST_F(OpenTelemetryTest, RecordsDirectCallsAndNoOthers) {
  EXPECT_THAT(ObserveWithOpenTelemetry({}),
              absl_testing::StatusIs(absl::StatusCode::kFailedPrecondition));
  const auto transport = Transport::Make(TransportKind::kCxlDirect);
  std::string traceparent;
  LambdaServer server(*transport, [&](auto* context, const EchoRequest& request, auto* response) {
    traceparent = TraceParent(context);
    response->set_payload(std::string(300, 'r'));
    return request.payload().empty() ? grpc::Status(grpc::StatusCode::NOT_FOUND, "no payload")
                                     : grpc::Status::OK;
  });
  const auto channel = MakeChannel(*transport);
  const auto stub = Echo::NewStub(channel);
  Connect(*channel);
  const auto call = [&](const std::string& payload, bool compressed = false) {
    grpc::ClientContext context;
    if (compressed) context.set_compression_algorithm(GRPC_COMPRESS_GZIP);  // not direct
    EchoRequest request;
    request.set_payload(payload);
    EchoResponse response;
    return stub->Unary(&context, request, &response).error_code();
  };
  spans_->GetSpans();
  const std::map<std::string, double> before = reader_->Read();

  const std::string last =
      TraceOf([&] { EXPECT_EQ(call(std::string(100, 'q')), grpc::StatusCode::OK); });
  EXPECT_THAT(traceparent, StartsWith(last)) << "the handler sees the server's span";

  EXPECT_EQ(call(""), grpc::StatusCode::NOT_FOUND);
  const auto spans = spans_->GetSpans();
  ASSERT_EQ(spans.size(), 3u);
  for (const auto& span : spans) {
    EXPECT_EQ(span->GetStatus(), opentelemetry::trace::StatusCode::kError);
    EXPECT_EQ(span->GetDescription(), "NOT_FOUND: no payload");
  }

  grpc::ClientContext one_way;
  DoNotWait(&one_way);
  EchoRequest request;
  request.set_payload(std::string(100, 'q'));
  EchoResponse ignored;
  EXPECT_TRUE(stub->Unary(&one_way, request, &ignored).ok());
  size_t ended = 0;
  EXPECT_TRUE(internal::Eventually([&] { return (ended += spans_->GetSpans().size()) == 3; }));

  EXPECT_EQ(call("over HTTP/2", /*compressed=*/true), grpc::StatusCode::OK);
  EXPECT_EQ(spans_->GetSpans().size(), 0u);

  const std::string method = " grpc.method=grpc_cxl.e2e.Echo/Unary";
  const std::string ok = " grpc.status=OK", missing = " grpc.status=NOT_FOUND";
  const std::string target = " grpc.target=dns:///cxl:///e2e/echo";
  const double sent = 102, received = 303;  // with two and three bytes of protobuf's
  std::map<std::string, double> expected = {
      {"grpc.client.attempt.started {attempt}" + method + target, 3},
      {"grpc.server.call.started {call}" + method, 3}};
  // The one-way call ends OK, and its client does not see the answer.
  for (const auto& [status, number, out, in, answered] :
       {std::tuple(ok, 2, 2 * sent, received, 2 * received), std::tuple(missing, 1, 0., 0., 0.)}) {
    const std::string client = method + status + target, of_server = method + status;
    expected["grpc.client.attempt.duration s" + client] = number;
    expected["grpc.client.call.duration s" + client] = number;
    expected["grpc.client.attempt.sent_total_compressed_message_size By" + client] = out;
    expected["grpc.client.attempt.rcvd_total_compressed_message_size By" + client] = in;
    expected["grpc.server.call.duration s" + of_server] = number;
    expected["grpc.server.call.sent_total_compressed_message_size By" + of_server] = answered;
    expected["grpc.server.call.rcvd_total_compressed_message_size By" + of_server] = out;
  }
  std::map<std::string, double> calls, ours;
  for (const auto& [name, value] : reader_->Read()) {
    (name.starts_with("grpc.cxl.") ? ours : calls).emplace(name, value);
  }
  EXPECT_EQ(calls, expected);
  EXPECT_EQ(ours["grpc.cxl.connections {connection} grpc.cxl.path=memory"], 2);
  const std::string reason = "grpc.cxl.http2_calls {call} grpc.cxl.reason=not_eligible";
  EXPECT_EQ(ours[reason], before.at(reason) + 1);
  for (const char* name :
       {"grpc.cxl.connections.made {connection} grpc.cxl.path=network",
        "grpc.cxl.sent By grpc.cxl.how=block", "grpc.cxl.received By grpc.cxl.how=in_place",
        "grpc.cxl.sleeps {sleep}", "grpc.cxl.wake_up ns"}) {
    EXPECT_THAT(ours, Contains(Key(name)));
  }
}

TEST_F(OpenTelemetryTest, RecordsStreamsWithTheirMessages) {
  EchoPair pair(TransportKind::kCxlDirect);
  spans_->GetSpans();
  std::map<std::string, double> before = reader_->Read();
  {
    grpc::ClientContext context;
    const auto stream = pair.stub->Bidi(&context);
    EchoRequest request;
    EchoResponse response;
    for (int i = 0; i < 3; ++i) {
      request.set_payload(std::string(100, 'q'));
      EXPECT_TRUE(stream->Write(request));
      EXPECT_TRUE(stream->Read(&response));
    }
    stream->WritesDone();
    EXPECT_TRUE(stream->Finish().ok());
  }
  std::map<std::string, size_t> messages;  // of the spans
  size_t spans = 0;
  EXPECT_TRUE(internal::Eventually([&] {
    for (const auto& span : spans_->GetSpans()) {
      ++spans;
      for (const auto& event : span->GetEvents()) {
        ++messages[absl::StrCat(std::string(span->GetName()), " ", std::string(event.GetName()))];
      }
    }
    return spans == 3;
  }));
  const std::string method = "grpc_cxl.e2e.Echo/Bidi";
  EXPECT_EQ(messages, (std::map<std::string, size_t>{{"Attempt." + method + " Outbound message", 3},
                                                     {"Attempt." + method + " Inbound message", 3},
                                                     {"Recv." + method + " Inbound message", 3},
                                                     {"Recv." + method + " Outbound message", 3}}));
  std::map<std::string, double> after = reader_->Read();
  const auto more = [&](const std::string& name) { return after[name] - before[name]; };
  const std::string target = " grpc.target=dns:///cxl:///e2e/echo";
  const std::string of = " grpc.method=" + method, ok = of + " grpc.status=OK";
  EXPECT_EQ(more("grpc.client.attempt.started {attempt}" + of + target), 1);
  EXPECT_EQ(more("grpc.client.call.duration s" + ok + target), 1);
  EXPECT_EQ(more("grpc.client.attempt.sent_total_compressed_message_size By" + ok + target), 306);
  EXPECT_GE(more("grpc.client.attempt.rcvd_total_compressed_message_size By" + ok + target), 306);
  EXPECT_EQ(more("grpc.server.call.started {call}" + of), 1);
  EXPECT_EQ(more("grpc.server.call.rcvd_total_compressed_message_size By" + ok), 306);
  EXPECT_GE(more("grpc.server.call.sent_total_compressed_message_size By" + ok), 306);
}

// On the server's in-process channel: a call as any other.
TEST_F(OpenTelemetryTest, RecordsCallsWithinTheProcess) {
  std::string traceparent;
  HandlerPair pair(TransportKind::kCxlInline, [&](auto* context, const EchoRequest&, auto*) {
    traceparent = TraceParent(context);
    return grpc::Status::OK;
  });
  spans_->GetSpans();
  const std::string last = TraceOf([&] { EXPECT_TRUE(pair.Call("payload").status.ok()); });
  EXPECT_THAT(traceparent, StartsWith(last));
}

}  // namespace
}  // namespace grpc_cxl::e2e
