// SPDX-License-Identifier: Apache-2.0

// Features that see or change every call of a channel, a server or a process: calls take the
// stream path where a direct call could not honour them, and a counter says so.

#include <grpc/impl/channel_arg_names.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "test/e2e/log_capture.h"
#include "test/e2e/parity.h"

namespace grpc_cxl::e2e {
namespace {

using grpc::experimental::ClientInterceptorFactoryInterface;
using grpc::experimental::ClientRpcInfo;
using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::Interceptor;
using grpc::experimental::InterceptorBatchMethods;
using ParityFeaturesTest = Parity;

// An interceptor of every call that is a function of the test's.
class LambdaInterceptors final : public ClientInterceptorFactoryInterface {
 public:
  using Hook = std::function<void(ClientRpcInfo*, InterceptorBatchMethods*)>;
  explicit LambdaInterceptors(Hook hook) : hook_(std::move(hook)) {}

  Interceptor* CreateClientInterceptor(ClientRpcInfo* info) override {
    struct Hooked final : Interceptor {
      Hooked(const Hook& hook, ClientRpcInfo* info) : hook(hook), info(info) {}
      void Intercept(InterceptorBatchMethods* methods) override {
        hook(info, methods);
        methods->Proceed();
      }
      const Hook& hook;
      ClientRpcInfo* const info;
    };
    return new Hooked(hook_, info);
  }

 private:
  const Hook hook_;
};

TEST_P(ParityFeaturesTest, InterceptorsOfTheProcessSeeEveryMessage) {
  const auto run = [](TransportKind kind) {
    EchoPair pair(kind);
    absl::Mutex mu;
    std::string trace;
    LambdaInterceptors interceptors([&](ClientRpcInfo* info, InterceptorBatchMethods* methods) {
      absl::MutexLock lock(mu);
      absl::StrAppend(&trace, info->method(), ":");
      for (int i = 0; i < static_cast<int>(InterceptionHookPoints::NUM_INTERCEPTION_HOOKS); ++i) {
        const auto point = static_cast<InterceptionHookPoints>(i);
        if (methods->QueryInterceptionHookPoint(point)) absl::StrAppend(&trace, " ", i);
      }
      absl::StrAppend(&trace, "\n");
    });
    grpc::experimental::RegisterGlobalClientInterceptorFactory(&interceptors);
    const Paths paths;
    EXPECT_TRUE(pair.Run({}).status.ok());
    EXPECT_EQ(paths(&DirectCallStats::global_interceptor),
              kind == TransportKind::kCxlDirect ? 1u : 0u);
    if (IsCxl(kind)) {
      EXPECT_TRUE(absl::IsFailedPrecondition(EnableDirectCalls(pair.server->server())));
    }
    pair.server.reset();
    grpc::experimental::TestOnlyResetGlobalClientInterceptorFactory();
    return trace;
  };
  EXPECT_EQ(run(GetParam()), run(TransportKind::kTcp));
}

// A deadline of a method's, from the service config.
TEST_P(ParityFeaturesTest, ServiceConfig) {
  const auto run = [](TransportKind kind) {
    EchoPair pair(kind, {}, {.configure = [](grpc::ChannelArguments* arguments) {
                    arguments->SetServiceConfigJSON(
                        R"({"methodConfig": [{"name": [{}], "timeout": "0.05s"}]})");
                  }});
    const Paths paths;
    const Outcome outcome = pair.Run(CallThatWaitsAtGate());
    EXPECT_EQ(paths(&DirectCallStats::excluded_channel),
              kind == TransportKind::kCxlDirect ? 1u : 0u);
    return Describe(outcome);
  };
  EXPECT_EQ(run(GetParam()), run(TransportKind::kTcp));
}

// What gRPC's core does for every call of a channel it cannot do for direct ones. The list of
// plugins is empty here: gRPC's public headers have none.
TEST(ParityFeaturesDirectTest, ChannelsWithCompressionOrStatsPluginsHaveNone) {
  using Plugins = std::shared_ptr<std::vector<std::shared_ptr<void>>>;
  static constexpr grpc_arg_pointer_vtable kPlugins = {
      [](void* plugins) -> void* { return new Plugins(*static_cast<Plugins*>(plugins)); },
      [](void* plugins) { delete static_cast<Plugins*>(plugins); },
      [](void* a, void* b) { return a < b ? -1 : a > b; }};
  Plugins plugins = std::make_shared<std::vector<std::shared_ptr<void>>>();
  for (const std::function<void(grpc::ChannelArguments*)>& set :
       {std::function([](grpc::ChannelArguments* arguments) {
          arguments->SetCompressionAlgorithm(GRPC_COMPRESS_GZIP);
        }),
        std::function([&](grpc::ChannelArguments* arguments) {
          arguments->SetPointerWithVtable(GRPC_ARG_EXPERIMENTAL_STATS_PLUGINS, &plugins, &kPlugins);
        })}) {
    EchoPair pair(TransportKind::kCxlDirect, {}, {.configure = set});
    Connect(*pair.channel);
    const Paths paths;
    EXPECT_TRUE(pair.Run({}).status.ok());
    EXPECT_EQ(paths(&DirectCallStats::excluded_channel), 1u);
    EXPECT_EQ(paths.direct(), 0u);
  }
}

TEST(ParityFeaturesDirectTest, InsecureCredentialsInsideAreNone) {
  EchoPair pair(TransportKind::kCxlDirect, {.security = grpc::InsecureServerCredentials()},
                {.security = grpc::InsecureChannelCredentials()});
  Connect(*pair.channel);
  const Paths paths;
  EXPECT_TRUE(pair.Run({}).status.ok());
  EXPECT_EQ(paths.direct(), 1u);
}

// As if the linker had dropped the descriptor, which it does with a plain archive of generated
// code.
TEST(ParityFeaturesDirectTest, AServiceWithoutDescriptorIsLoggedOnce) {
  EchoPair pair(TransportKind::kCxlDirect);
  grpc::GenericStub stub(pair.channel);
  LogCapture log(absl::LogSeverity::kWarning);
  const Paths paths;
  for (const char* method : {"/shop.Payments/Pay", "/shop.Payments/Pay", "/shop.Payments/Ask"}) {
    grpc::ClientContext context;
    const grpc::Slice slice("bytes");
    const grpc::ByteBuffer request(&slice, 1);
    grpc::ByteBuffer response;
    absl::Notification done;
    stub.UnaryCall(&context, method, {}, &request, &response, [&](const grpc::Status& status) {
      EXPECT_EQ(status.error_code(), grpc::UNIMPLEMENTED);
      done.Notify();
    });
    done.WaitForNotification();
  }
  EXPECT_EQ(paths(&DirectCallStats::no_descriptor), 3u);
  const std::vector<std::string> pieces = absl::StrSplit(log.text(), "the service shop.Payments");
  EXPECT_EQ(pieces.size(), 2u) << log.text();
}

// The user's interceptor chooses late; the handler sees which encoding the call has.
TEST_P(ParityFeaturesTest, CompressionChosenByAnInterceptor) {
  const auto run = [](TransportKind kind) {
    EchoPair pair(kind,
                  {.configure =
                       [](grpc::ServerBuilder* builder) {
                         builder->SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
                       }},
                  {.interceptors = [] {
                    Interceptors interceptors;
                    interceptors.push_back(std::make_unique<LambdaInterceptors>(
                        [](ClientRpcInfo* info, InterceptorBatchMethods* methods) {
                          if (methods->QueryInterceptionHookPoint(
                                  InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
                            info->client_context()->set_compression_algorithm(GRPC_COMPRESS_GZIP);
                          }
                        }));
                    return interceptors;
                  }});
    const Outcome outcome = pair.Run(CallOfSize(1000));
    EXPECT_EQ(outcome.status.error_code(), grpc::UNIMPLEMENTED) << outcome;
    return Describe(outcome);
  };
  EXPECT_EQ(run(GetParam()), run(TransportKind::kTcp));
}

TEST_P(ParityFeaturesTest, CompressionChosenByTheHandler) {
  const auto run = [](TransportKind kind) {
    EchoPair pair(kind);
    ClientCall call = CallOfSize(1000);
    call.requests[0].mutable_script()->set_compress(true);
    return Describe(pair.Run(call));
  };
  EXPECT_EQ(run(GetParam()), run(TransportKind::kTcp));
}

// Text that HTTP/2 must escape, details and metadata with any bytes.
TEST_P(ParityFeaturesTest, ErrorsOfTheHandler) {
  const auto run = [](TransportKind kind) {
    EchoPair pair(kind);
    ClientCall call;
    Script& script = *call.requests[0].mutable_script();
    script.set_code(grpc::FAILED_PRECONDITION);
    script.set_message("m\303\244nner\n%41");
    script.set_details(std::string("\0\1\2", 3));
    call.prepare = [](grpc::ClientContext* context) {
      context->AddMetadata("trailing-key", "value");
      context->AddMetadata("initial-key-bin", std::string("\0\377", 2));
    };
    return Describe(pair.Run(call));
  };
  EXPECT_EQ(run(GetParam()), run(TransportKind::kTcp));
}

GRPC_CXL_PARITY_SUITE(ParityFeaturesTest);

}  // namespace
}  // namespace grpc_cxl::e2e
