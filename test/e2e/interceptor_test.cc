// SPDX-License-Identifier: Apache-2.0

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

template <typename Factory>
std::vector<std::unique_ptr<Factory>> TwoTracers(Trace* trace) {
  std::vector<std::unique_ptr<Factory>> tracers;
  for (const char* name : {"first", "second"}) {
    tracers.push_back(std::make_unique<TracerFactory>(name, trace));
  }
  return tracers;
}

class InterceptorTest : public EveryTransportAnd<RpcKind> {};

TEST_P(InterceptorTest, SeeAndChangeCallsAsOnTcp) {
  const auto run = [](TransportKind kind) {
    Trace client, server;
    ClientCall call{.kind = other()};
    call.requests[0].mutable_script()->set_response_count(2);
    Outcome outcome;
    {
      const auto intercept = [&server](grpc::ServerBuilder* builder) {
        builder->experimental().SetInterceptorCreators(
            TwoTracers<grpc::experimental::ServerInterceptorFactoryInterface>(&server));
      };
      EchoPair pair(
          kind, {.api = ServerApi::kSync, .configure = intercept}, {.interceptors = [&client] {
            return TwoTracers<grpc::experimental::ClientInterceptorFactoryInterface>(&client);
          }});
      outcome = pair.Run(call);
    }  // with the server gone nothing is added any more
    EXPECT_TRUE(outcome.status.ok()) << outcome;
    // What the client's interceptors added came back by way of the handler.
    EXPECT_EQ(outcome.initial_metadata.count("initial-by"), 4u) << outcome;
    EXPECT_NE(client.text(), "");
    EXPECT_NE(server.text(), "");
    return absl::StrCat(Describe(outcome), "client's\n", client.text(), "server's\n",
                        server.text());
  };
  EXPECT_EQ(run(transport()), run(TransportKind::kTcp));
}

INSTANTIATE_TEST_SUITE_P(Everywhere, InterceptorTest,
                         ::testing::Combine(::testing::ValuesIn(kTestedTransports),
                                            ::testing::ValuesIn(kAllRpcKinds)),
                         ParamName());

}  // namespace
}  // namespace grpc_cxl::e2e
