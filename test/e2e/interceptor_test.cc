// The user's interceptors work on any transport: those passed when the channel is made and
// those of the server see the same points of a call in the same order as on TCP, and what
// they change is changed.

#include <grpcpp/support/server_interceptor.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "test/e2e/calls_fixture.h"

namespace grpc_cxl::e2e {
namespace {

using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::InterceptorBatchMethods;

// The points that interceptors saw, a line for each; thread-safe.
class Trace {
 public:
  void Add(const std::string& who, InterceptorBatchMethods* methods) {
    absl::MutexLock lock(mu_);
    for (int i = 0; i < static_cast<int>(InterceptionHookPoints::NUM_INTERCEPTION_HOOKS); ++i) {
      const auto point = static_cast<InterceptionHookPoints>(i);
      if (methods->QueryInterceptionHookPoint(point)) absl::StrAppend(&text_, who, " ", i, "\n");
    }
  }
  std::string text() {
    absl::MutexLock lock(mu_);
    return text_;
  }

 private:
  absl::Mutex mu_;
  std::string text_ ABSL_GUARDED_BY(mu_);
};

// Notes what it sees and adds itself to the metadata that is sent back.
class Tracer final : public grpc::experimental::Interceptor {
 public:
  Tracer(std::string name, Trace* trace) : name_(std::move(name)), trace_(trace) {}

  void Intercept(InterceptorBatchMethods* methods) override {
    trace_->Add(name_, methods);
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      methods->GetSendInitialMetadata()->emplace("initial-by", name_);
    }
    methods->Proceed();
  }

 private:
  const std::string name_;
  Trace* const trace_;
};

class TracerFactory final : public grpc::experimental::ClientInterceptorFactoryInterface,
                            public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  TracerFactory(std::string name, Trace* trace) : name_(std::move(name)), trace_(trace) {}

  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo*) override {
    return new Tracer(name_, trace_);
  }
  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo*) override {
    return new Tracer(name_, trace_);
  }

 private:
  const std::string name_;
  Trace* const trace_;
};

struct Intercepted {
  std::string client_trace;
  std::string server_trace;
  Outcome outcome;
};

Intercepted RunIntercepted(TransportKind kind, const ClientCall& call) {
  Trace client_trace, server_trace;
  Intercepted result;
  {
    EchoPair pair(
        kind,
        {.api = ServerApi::kSync,
         .configure =
             [&server_trace](grpc::ServerBuilder* builder) {
               std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>>
                   creators;
               creators.push_back(std::make_unique<TracerFactory>("first", &server_trace));
               creators.push_back(std::make_unique<TracerFactory>("second", &server_trace));
               builder->experimental().SetInterceptorCreators(std::move(creators));
             }},
        {.interceptors = [&client_trace] {
          Interceptors creators;
          creators.push_back(std::make_unique<TracerFactory>("outer", &client_trace));
          creators.push_back(std::make_unique<TracerFactory>("inner", &client_trace));
          return creators;
        }});
    result.outcome = pair.Run(call);
  }  // with the server gone nothing is added any more
  result.client_trace = client_trace.text();
  result.server_trace = server_trace.text();
  return result;
}

class InterceptorTest : public ::testing::TestWithParam<std::tuple<TransportKind, RpcKind>> {};

TEST_P(InterceptorTest, SeeAndChangeCallsAsOnTcp) {
  const auto [transport, kind] = GetParam();
  ClientCall call{.kind = kind};
  call.requests[0].mutable_script()->set_response_count(2);
  const Intercepted here = RunIntercepted(transport, call);
  const Intercepted on_tcp = RunIntercepted(TransportKind::kTcp, call);
  EXPECT_TRUE(here.outcome.status.ok()) << here.outcome;
  // What the client's interceptors added came back by way of the handler.
  EXPECT_EQ(here.outcome.initial_metadata.count("initial-by"), 4u) << here.outcome;
  EXPECT_EQ(Describe(here.outcome), Describe(on_tcp.outcome));
  EXPECT_NE(here.client_trace, "");
  EXPECT_EQ(here.client_trace, on_tcp.client_trace);
  EXPECT_NE(here.server_trace, "");
  EXPECT_EQ(here.server_trace, on_tcp.server_trace);
}

INSTANTIATE_TEST_SUITE_P(Everywhere, InterceptorTest,
                         ::testing::Combine(::testing::ValuesIn(kTestedTransports),
                                            ::testing::ValuesIn(kAllRpcKinds)),
                         [](const auto& info) {
                           return absl::StrCat(Name(std::get<0>(info.param)), "_",
                                               Name(std::get<1>(info.param)));
                         });

}  // namespace
}  // namespace grpc_cxl::e2e
