// SPDX-License-Identifier: Apache-2.0

// Priority and provenance of a call through a chain of services: client -> front -> middle -> back.

#include "grpc_cxl/priority.h"

#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "grpc_cxl/channel_credentials.h"
#include "grpc_cxl/client_context.h"
#include "grpc_cxl/event_engine/status_snapshot.h"
#include "grpc_cxl/options.h"
#include "test/e2e/lambda_server.h"
#include "test/e2e/parity.h"

namespace grpc_cxl::e2e {
namespace {

constexpr char kTraceparent[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

// A service that asks the next one, or ends the chain.
class Service {
 public:
  Service(TransportKind kind, Service* next, std::optional<Priority> sets = std::nullopt)
      : place_(Transport::Make(kind)),
        server_(*place_,
                [this, next, sets](grpc::CallbackServerContext* context, const EchoRequest& request,
                                   EchoResponse* response) {
                  seen_.clear();
                  for (const auto& [key, value] : context->client_metadata()) {
                    seen_.emplace(std::string(key.data(), key.size()),
                                  std::string(value.data(), value.size()));
                  }
                  priority_ = PriorityOf(*context);
                  if (next == nullptr) return grpc::Status::OK;
                  const auto onward = ClientContextFor(*context, sets);
                  return next->stub().Unary(onward.get(), request, response);
                }),
        channel_(MakeChannel(*place_)),
        stub_(Echo::NewStub(channel_)) {
    Connect(*channel_);
  }

  Echo::Stub& stub() { return *stub_; }
  Priority priority() const { return priority_; }
  // All values of the key, each in brackets.
  std::string Seen(const std::string& key) const {
    std::string values;
    for (auto [it, end] = seen_.equal_range(key); it != end; ++it) values += "[" + it->second + "]";
    return values;
  }

 private:
  // Of the last call.
  std::multimap<std::string, std::string> seen_;
  Priority priority_ = Priority::kDefault;

  const std::unique_ptr<Transport> place_;
  const LambdaServer server_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<Echo::Stub> stub_;
};

class PriorityTest : public EveryTransport {
 protected:
  static void Call(Echo::Stub& stub, const std::function<void(grpc::ClientContext*)>& prepare) {
    const Outcome outcome = Perform(&stub, {.prepare = [&](grpc::ClientContext* context) {
      WithDeadline(absl::Seconds(30))(context);
      prepare(context);
    }});
    ASSERT_TRUE(outcome.status.ok()) << outcome;
  }
};

TEST_P(PriorityTest, GoesDownTheChainOnce) {
  Service back(GetParam(), nullptr);
  Service middle(GetParam(), &back);
  Service front(GetParam(), &middle);
  const Paths paths;
  Call(front.stub(), [](grpc::ClientContext* context) {
    SetPriority(context, Priority::kInteractive);
    context->AddMetadata("x-request-id", "4711");
    context->AddMetadata("traceparent", kTraceparent);
    context->AddMetadata("tracestate", "a=1,b=2");
    context->AddMetadata("private", "secret");
  });
  for (const Service* service : {&front, &middle, &back}) {
    EXPECT_EQ(service->priority(), Priority::kInteractive);
    EXPECT_EQ(service->Seen("priority"), "[u=1]");
    EXPECT_EQ(service->Seen("x-request-id"), "[4711]");
    EXPECT_EQ(service->Seen("traceparent"), "[" + std::string(kTraceparent) + "]");
    EXPECT_EQ(service->Seen("tracestate"), "[a=1,b=2]");
    EXPECT_EQ(service->Seen("private"), service == &front ? "[secret]" : "");
  }
  EXPECT_EQ(paths.direct(), GetParam() == TransportKind::kCxlDirect ? 3u : 0u);

  // What others than us have set; what is no priority; none.
  Call(front.stub(), [](auto* context) { context->AddMetadata("priority", "i, u=7;x"); });
  EXPECT_EQ(back.priority(), Priority::kBulk);
  EXPECT_EQ(back.Seen("priority"), "[u=7, i]");
  Call(front.stub(), [](auto* context) { context->AddMetadata("priority", "u=0, \"u"); });
  EXPECT_EQ(back.priority(), Priority::kDefault);
  EXPECT_EQ(back.Seen("priority"), "[u=3]");
  Call(front.stub(), [](auto*) {});
  EXPECT_EQ(back.priority(), Priority::kDefault);
  EXPECT_EQ(back.Seen("priority") + back.Seen("x-request-id"), "");
}

TEST_P(PriorityTest, AServiceMayChooseAnother) {
  Service back(GetParam(), nullptr);
  Service front(GetParam(), &back, Priority::kBulk);
  Call(front.stub(), [](auto* context) { SetPriority(context, Priority::kInteractive); });
  EXPECT_EQ(front.priority(), Priority::kInteractive);
  EXPECT_EQ(back.priority(), Priority::kBulk);
  EXPECT_EQ(back.Seen("priority"), "[u=6]");
  Call(back.stub(), [](auto* context) {
    SetPriority(context, Priority::kBulk);
    SetPriority(context, Priority::kInteractive);
  });
  EXPECT_EQ(back.priority(), Priority::kInteractive);
}

INSTANTIATE_TEST_SUITE_P(Everywhere, PriorityTest, ::testing::ValuesIn(kMostTransports),
                         ParamName());

int Connections() {
  int count = 0;
  for (const auto& connection : internal::TakeStatusSnapshot().connections) {
    count += connection.side == 1;
  }
  return count;
}

// Of direct calls, and over HTTP/2.
TEST(ChannelPriorityTest, IsThatOfItsCallsOnAConnectionOfItsOwn) {
  const auto transport = Transport::Make(TransportKind::kCxlDirect);
  std::string seen;
  LambdaServer server(*transport, [&](auto* context, const EchoRequest&, auto*) {
    const auto found = context->client_metadata().find("priority");
    seen = found == context->client_metadata().end()
               ? ""
               : std::string(found->second.data(), found->second.size());
    return grpc::Status::OK;
  });
  const auto open = [&](Priority priority, bool direct) {
    ChannelOptions options;
    options.rendezvous_directory = transport->place();
    options.direct_calls = direct;
    options.priority = priority;
    auto channel = grpc::CreateChannel(transport->address(), ChannelCredentials(options));
    Connect(*channel);
    return channel;
  };
  const int before = Connections();
  for (const bool direct : {true, false}) {
    const Paths paths;
    const auto plain = open(Priority::kDefault, direct);
    const auto also_plain = open(Priority::kDefault, direct);
    const auto bulk = open(Priority::kBulk, direct);
    EXPECT_TRUE(internal::Eventually([&] { return Connections() - before == 2; }));
    const auto see = [&seen](const auto& channel, std::optional<Priority> own = std::nullopt) {
      const auto stub = Echo::NewStub(channel);
      seen = "no call";
      Perform(stub.get(), {.prepare = [own](grpc::ClientContext* context) {
                if (own.has_value()) SetPriority(context, *own);
              }});
      return seen;
    };
    EXPECT_EQ(see(plain), "");
    EXPECT_EQ(see(bulk), "u=6");
    EXPECT_EQ(see(bulk, Priority::kInteractive), "u=1");
    EXPECT_EQ(see(bulk, Priority::kDefault), "u=3");
    EXPECT_EQ(paths.direct(), direct ? 4u : 0u);
  }
}

// The other half is for others.
TEST(BulkBlocksTest, LargeBulkRequestsAreNotDirect) {
  const EchoPair pair(TransportKind::kCxlDirect, {.options = WithSizes(512 << 10, 1 << 20)});
  Connect(*pair.channel);
  Perform(pair.stub.get(), CallOfSize(600'000));  // the blocks grow for it
  Perform(pair.stub.get(), CallOfSize(900'000));
  for (const bool bulk : {false, true}) {
    const Paths paths;
    ClientCall call = CallOfSize(600'000);
    call.prepare = [bulk](grpc::ClientContext* context) {
      SetPriority(context, bulk ? Priority::kBulk : Priority::kInteractive);
    };
    const Outcome outcome = Perform(pair.stub.get(), call);
    ASSERT_TRUE(outcome.status.ok()) << outcome;
    EXPECT_EQ(outcome.responses[0].payload().size(), 600'000u);
    EXPECT_EQ(paths.direct(), bulk ? 0u : 1u);
    EXPECT_EQ(paths(&DirectCallStats::too_large), bulk ? 1u : 0u);
  }
}

}  // namespace
}  // namespace grpc_cxl::e2e
