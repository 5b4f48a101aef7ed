// SPDX-License-Identifier: Apache-2.0

// Behind an address that says nothing, a proxy's, a client and a server of one host find each other
// by an offer on the connection: unary calls become direct calls, for as long as it lives. Servers
// and clients without the offer, of another directory or of another rollout go on over the network.

#include <grpcpp/create_channel.h>
#include <grpcpp/server_context.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/log/check.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "grpc_cxl/base/unique_fd.h"
#include "grpc_cxl/connection_counters.h"
#include "grpc_cxl/direct_calls.h"
#include "grpc_cxl/serve_back.h"
#include "grpc_cxl/server_builder.h"
#include "test/e2e/client_call.h"
#include "test/e2e/echo_service.h"
#include "test/e2e/network_address.h"
#include "test/e2e/tls.h"
#include "test/support/eventually.h"

namespace grpc_cxl::e2e {
namespace {

using internal::Eventually;
using internal::UniqueFd;

// Forwards connections to a port of 127.0.0.1.
class Proxy {
 public:
  explicit Proxy(int to) : to_(to), listening_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    PCHECK(bind(listening_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0 &&
           listen(listening_.get(), 16) == 0 &&
           getsockname(listening_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    threads_.emplace_back([this] { Accept(); });
  }
  ~Proxy() {
    stop_ = true;
    shutdown(listening_.get(), SHUT_RDWR);
    Cut();
    for (std::thread& thread : threads_) thread.join();
  }

  int port() const { return port_; }
  // Where new connections go.
  void Lead(int to) { to_ = to; }
  // Ends its connections.
  void Cut() {
    absl::MutexLock lock(mu_);
    for (const UniqueFd& end : ends_) shutdown(end.get(), SHUT_RDWR);
  }

 private:
  void Accept() {
    for (;;) {
      const int client = accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC);
      if (client < 0 || stop_) return;
      const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_in address = {};
      address.sin_family = AF_INET;
      address.sin_port = htons(static_cast<uint16_t>(to_));
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      if (connect(server, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
        close(client);
        close(server);
        continue;
      }
      absl::MutexLock lock(mu_);
      ends_.emplace_back(client);
      ends_.emplace_back(server);
      threads_.emplace_back([client, server] { Forward(client, server); });
      threads_.emplace_back([client, server] { Forward(server, client); });
      if (stop_) return;
    }
  }
  static void Forward(int from, int to) {
    char buffer[16384];
    for (ssize_t size; (size = read(from, buffer, sizeof(buffer))) > 0;) {
      if (send(to, buffer, size, MSG_NOSIGNAL) != size) break;
    }
    shutdown(to, SHUT_RDWR);
    shutdown(from, SHUT_RDWR);
  }

  std::atomic<int> to_;
  const UniqueFd listening_;
  int port_ = 0;
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
  absl::Mutex mu_;
  std::vector<UniqueFd> ends_ ABSL_GUARDED_BY(mu_);
};

// Answers with the key of an offer that it sees, and maybe lies.
class KeysServer final : private Echo::Service {
 public:
  explicit KeysServer(grpc::ServerBuilder&& builder,
                      const std::shared_ptr<grpc::ServerCredentials>& credentials,
                      std::string answer = "")
      : answer_(std::move(answer)) {
    builder.AddListeningPort("127.0.0.1:0", credentials, &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    CHECK(server_ != nullptr);
  }
  ~KeysServer() override { Shutdown(*server_, absl::Now()); }
  int port() const { return port_; }
  // How often it ran the call with this payload.
  int runs(const std::string& payload) {
    absl::MutexLock lock(mu_);
    return runs_[payload];
  }

 private:
  grpc::Status Unary(grpc::ServerContext* context, const EchoRequest* request,
                     EchoResponse* response) override {
    {
      absl::MutexLock lock(mu_);
      ++runs_[request->payload()];
    }
    for (const auto& [key, value] : context->client_metadata()) {
      const std::string text(key.data(), key.size());
      if (text == "cxl-offer" || text == "cxl-answer") response->set_payload(text);
    }
    if (!answer_.empty()) context->AddInitialMetadata("cxl-answer", answer_);
    return grpc::Status::OK;
  }

  const std::string answer_;
  absl::Mutex mu_;
  std::map<std::string, int> runs_ ABSL_GUARDED_BY(mu_);
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

class VirtualAddressTest : public ::testing::Test, protected NetworkHost {
 protected:
  std::unique_ptr<KeysServer> Ours(const ServerOptions& options) {
    return std::make_unique<KeysServer>(ServerBuilder(), ServerCredentials(options));
  }
  // Whether a call was direct; neither end may see an offer or an answer, unless they are counted.
  static bool IsDirect(const std::shared_ptr<grpc::Channel>& channel, int* offers = nullptr) {
    const uint64_t before = GetDirectCallStats().direct;
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    EchoResponse response;
    const grpc::Status status = Echo::NewStub(channel)->Unary(&context, {}, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    if (offers == nullptr) {
      EXPECT_EQ(response.payload(), "");
      EXPECT_EQ(context.GetServerInitialMetadata().count("cxl-answer"), 0u);
    } else if (response.payload() == "cxl-offer") {
      ++*offers;
    }
    return GetDirectCallStats().direct > before;
  }
  static bool SoonDirect(const std::shared_ptr<grpc::Channel>& channel) {
    return Eventually([&] { return IsDirect(channel); });
  }
};

TEST_F(VirtualAddressTest, CallsBecomeDirectForAsLongAsTheConnectionLives) {
  const auto server = Ours(server_options());
  Proxy proxy(server->port());
  const auto channel = Channel(At("127.0.0.1", proxy.port()));
  EXPECT_FALSE(IsDirect(channel));  // carries the offer
  EXPECT_TRUE(SoonDirect(channel));
  EXPECT_TRUE(IsDirect(channel));
  for (int i = 0; i < 3; ++i) {
    proxy.Cut();
    // It may lead elsewhere now.
    EXPECT_TRUE(Eventually([&] { return channel->GetState(false) != GRPC_CHANNEL_READY; }));
    EXPECT_TRUE(Eventually([&] { return !IsDirect(channel); }));
    EXPECT_TRUE(SoonDirect(channel));
  }
}

TEST_F(VirtualAddressTest, OthersGoOnOverTheNetwork) {
  const NetworkHost elsewhere;
  ServerOptions other_rollout = server_options();
  other_rollout.rollout = "blue";
  for (const ServerOptions& options : {elsewhere.server_options(), other_rollout}) {
    const auto server = Ours(options);
    const Proxy proxy(server->port());
    const auto channel = Channel(At("127.0.0.1", proxy.port()));
    for (int i = 0; i < 20; ++i) EXPECT_FALSE(IsDirect(channel));
  }
}

// It sees offers, and may answer what it wants.
TEST_F(VirtualAddressTest, AServerThatIsNotOursLeadsNowhere) {
  const auto other =
      std::make_unique<AddressServer>("cxl:///payments", ServerCredentials(server_options()));
  ASSERT_TRUE(EnableDirectCalls(other->server()).ok());
  for (const char* answer : {"", "payments", "../x", "offer=0123456789abcdef0123456789abcdef"}) {
    const KeysServer plain(grpc::ServerBuilder(), grpc::InsecureServerCredentials(), answer);
    const auto channel = Channel(At("127.0.0.1", plain.port()));
    int offers = 0;
    for (int i = 0; i < 20; ++i) EXPECT_FALSE(IsDirect(channel, &offers)) << answer;
    EXPECT_GE(offers, 1);
    EXPECT_LE(offers, 4);
  }
}

TEST_F(VirtualAddressTest, NamesThatWereOfferedEnd) {
  const auto server = Ours(server_options());
  const Proxy proxy(server->port());
  const auto channel = Channel(At("127.0.0.1", proxy.port()));
  EXPECT_TRUE(SoonDirect(channel));
  EXPECT_TRUE(Eventually([&] {
    for (const auto& entry : std::filesystem::directory_iterator(directory())) {
      if (absl::StrContains(entry.path().string(), "offer=")) return false;
    }
    return true;
  }));
  EXPECT_TRUE(IsDirect(channel));
}

TEST_F(VirtualAddressTest, NoCallIsMadeTwiceWhenConnectionsEnd) {
  const auto server = Ours(server_options());
  Proxy proxy(server->port());
  const auto stub = Echo::NewStub(Channel(At("127.0.0.1", proxy.port())));
  std::atomic<bool> stop{false};
  std::atomic<int> next{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      while (!stop) {
        const std::string id = absl::StrCat(next++);
        grpc::ClientContext context;
        context.set_wait_for_ready(true);
        EchoRequest request;
        request.set_payload(id);
        EchoResponse response;
        const bool ok = stub->Unary(&context, request, &response).ok();
        const int runs = server->runs(id);
        EXPECT_TRUE(ok ? runs == 1 : runs <= 1) << id << " " << ok << " " << runs;
      }
    });
  }
  for (int i = 0; i < 10; ++i) {
    const uint64_t before = GetDirectCallStats().direct;
    EXPECT_TRUE(Eventually([&] { return GetDirectCallStats().direct > before + 20; }));
    proxy.Cut();
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

TEST_F(VirtualAddressTest, TheNextServerIsFoundInTheSameWay) {
  auto server = Ours(server_options());
  auto proxy = std::make_unique<Proxy>(server->port());
  const int port = proxy->port();
  const auto channel = Channel(At("127.0.0.1", port));
  EXPECT_TRUE(SoonDirect(channel));
  server.reset();
  server = Ours(server_options());
  proxy->Lead(server->port());
  EXPECT_TRUE(SoonDirect(channel));
}

// Through two proxies, of which TLS knows nothing: the ends are authenticated as without them, and
// nothing goes through memory, since who answers through a proxy is only known inside TLS. Without
// proxies the same channel does.
TEST_F(VirtualAddressTest, TlsPassesThroughAsItIs) {
  const std::unique_ptr<EchoService> service = EchoService::Make(ServerApi::kSync);
  ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0",
                           ServerCredentials(server_options(), ServerTls("server", true)), &port);
  service->Register(&builder);
  const auto server = builder.BuildAndStart();
  ASSERT_NE(server, nullptr);
  const Proxy behind(port), before(behind.port());
  const auto view_through = [&](int port,
                                const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
    ClientCall call{.prepare = Patiently()};
    call.requests[0].mutable_script()->set_describe(true);
    const auto channel = grpc::CreateChannel(At("127.0.0.1", port), credentials);
    Outcome outcome;
    for (int i = 0; i < 5; ++i) outcome = Perform(Echo::NewStub(channel).get(), call);
    EXPECT_TRUE(outcome.status.ok()) << outcome;
    if (!outcome.status.ok()) return std::string();
    CallView view = outcome.responses[0].view();
    EXPECT_TRUE(view.authenticated());
    view.clear_peer();
    view.clear_authority();
    view.clear_deadline_left_ms();
    return view.DebugString();
  };
  const std::string plain = view_through(port, ClientTls("client"));
  const auto ours = ChannelCredentials(channel_options(), ClientTls("client"));
  const ConnectionCounters at_first = GetConnectionCounters();
  const DirectCallStats calls = GetDirectCallStats();
  EXPECT_EQ(view_through(before.port(), ours), plain);
  EXPECT_EQ(GetConnectionCounters().network, at_first.network + 1);
  EXPECT_EQ(GetConnectionCounters().memory, at_first.memory);
  EXPECT_EQ(view_through(port, ours), plain);
  EXPECT_EQ(GetConnectionCounters().memory, at_first.memory + 1);
  EXPECT_EQ(GetDirectCallStats().direct, calls.direct);
  EXPECT_EQ(GetDirectCallStats().excluded_channel, calls.excluded_channel + 10);
  server->Shutdown();
}

// Calls its caller, and answers as that does.
class CallingServer final : private Echo::Service {
 public:
  explicit CallingServer(const std::shared_ptr<grpc::ServerCredentials>& credentials) {
    ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", credentials, &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    CHECK(server_ != nullptr);
  }
  ~CallingServer() override { Shutdown(*server_, absl::Now()); }
  int port() const { return port_; }

 private:
  grpc::Status Unary(grpc::ServerContext* context, const EchoRequest* request,
                     EchoResponse* response) override {
    const auto peer = ChannelToPeer(*context);
    if (!peer.ok()) return {grpc::INTERNAL, std::string(peer.status().message())};
    grpc::ClientContext back;
    return Echo::NewStub(*peer)->Unary(&back, *request, response);
  }

  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

// The name of the offer has ended by then, and the line begins at the server's own.
TEST_F(VirtualAddressTest, TheServerCallsBack) {
  const CallingServer server(ServerCredentials(server_options()));
  Proxy proxy(server.port());
  const auto service = EchoService::Make(ServerApi::kCallback);
  ServerBuilder builder;
  service->Register(&builder);
  const std::unique_ptr<grpc::Server> own = builder.BuildAndStart();
  grpc::ChannelArguments arguments;
  ASSERT_TRUE(ServeBack(*own, &arguments).ok());
  const auto stub = Echo::NewStub(grpc::CreateCustomChannel(
      At("127.0.0.1", proxy.port()), ChannelCredentials(channel_options()), arguments));
  const auto calls = [&stub] {
    ClientCall call{.prepare = WithDeadline(absl::Seconds(10))};
    call.requests[0].set_payload("back");
    const Outcome outcome = Perform(stub.get(), call);
    return outcome.status.ok() && outcome.responses[0].payload() == "back";
  };
  EXPECT_FALSE(calls()) << "over the network";
  EXPECT_TRUE(Eventually(calls));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(calls());
  Shutdown(*own, absl::Now());
}

}  // namespace
}  // namespace grpc_cxl::e2e
