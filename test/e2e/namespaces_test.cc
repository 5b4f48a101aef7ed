// SPDX-License-Identifier: Apache-2.0

// Two processes in user, pid, mount, ipc and net namespaces of their own, each of which maps one
// user and one group, meet by each way that docs/configuration.md names for them: the uid, a
// trusted directory, a group, a secret, and the server calls the client, which nobody could dial,
// on the same rung of trust. Who lacks what the other asks for is told so.

#include <errno.h>
#include <gmock/gmock.h>
#include <grp.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <ostream>
#include <set>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "grpc_cxl/channel_credentials.h"
#include "grpc_cxl/connection_status.h"
#include "grpc_cxl/direct_calls.h"
#include "grpc_cxl/serve_back.h"
#include "grpc_cxl/server_builder.h"
#include "grpc_cxl/server_credentials.h"
#include "test/e2e/echo.grpc.pb.h"
#include "test/support/eventually.h"
#include "test/support/forked_child.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::e2e {
namespace {

using internal::ForkedChild;
using ::testing::HasSubstr;

constexpr char kName[] = "cxl:///e2e/namespaces";
constexpr gid_t kGroup = 2000;

struct Who {
  uid_t uid;  // 0 in its own namespace
  gid_t gid = kGroup;
};

// What `body` returns as the first process of new namespaces. For a forked child of root.
std::string Isolated(const Who& who, absl::FunctionRef<std::string()> body) {
  PCHECK(setgroups(0, nullptr) == 0 && setresgid(who.gid, who.gid, who.gid) == 0 &&
         setresuid(who.uid, who.uid, who.uid) == 0);
  PCHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0);
  if (unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWNET) != 0) {
    return absl::StrCat("no namespaces here: ", strerror(errno));
  }
  PCHECK(std::ofstream("/proc/self/uid_map") << "0 " << who.uid << " 1" << std::endl);
  PCHECK(std::ofstream("/proc/self/setgroups") << "deny" << std::endl);
  PCHECK(std::ofstream("/proc/self/gid_map") << who.gid << " " << who.gid << " 1" << std::endl);
  return ForkedChild(body).Join();
}

// The rungs of trust on which this process's peers stand: each connection's once.
std::string Rungs() {
  std::set<std::string> rungs;
  for (const ConnectionStatus& connection : GetConnectionStatus()) rungs.insert(connection.trust);
  return absl::StrJoin(rungs, " and ");
}

// Says who calls it and how far that is trusted, and what a call back has answered if there can be
// one.
class PeerService final : public Echo::Service {
  grpc::Status Unary(grpc::ServerContext* context, const EchoRequest*,
                     EchoResponse* response) override {
    EchoResponse answer;
    if (const auto way = ChannelToPeer(*context); way.ok()) {
      grpc::ClientContext back;
      const grpc::Status status = Echo::NewStub(*way)->Unary(&back, {}, &answer);
      if (!status.ok()) return status;
      answer.set_payload(" is told " + answer.payload());
    } else {
      answer.set_payload(" cannot be called back");
    }
    const CallPeerIdentity peer = CallPeer(*context).value();
    response->set_payload(absl::StrCat(peer.pid, " ", peer.uid,
                                       peer.knows_secret ? " knows the secret" : "", " (", Rungs(),
                                       ")", answer.payload()));
    return grpc::Status::OK;
  }
};

std::string ServeUntilKilled(const ServerOptions& options, const std::string& ready) {
  PeerService service;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(kName, ServerCredentials(options));
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  std::ofstream(ready) << (server == nullptr ? "no server" : "");
  if (server != nullptr) pause();
  return "";
}

std::string Call(const ChannelOptions& options) {
  PeerService service;
  ServerBuilder builder;
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> own = builder.BuildAndStart();
  grpc::ChannelArguments arguments;
  CHECK_OK(ServeBack(*own, &arguments));
  const auto stub =
      Echo::NewStub(grpc::CreateCustomChannel(kName, ChannelCredentials(options), arguments));
  grpc::ClientContext context;
  EchoResponse response;
  const grpc::Status status = stub->Unary(&context, {}, &response);
  return status.ok() ? response.payload() : status.error_message();
}

// Which of them an end uses, besides its uid. Each directory holds "secret" and "other".
struct End {
  Who who;
  bool trusts_directory = true;
  bool allows_group = false;
  const char* secret = "";
  bool trusts_own_uid = false;  // with its memory, in whatever namespaces

  template <typename Options>
  Options In(const std::string& directory) const {
    Options options;
    (trusts_directory ? options.trusted_directory : options.rendezvous_directory) = directory;
    if (allows_group) options.allowed_gids = {kGroup};
    if (trusts_own_uid) options.trusted_uids = {0};
    if (*secret != '\0') options.secret_file = absl::StrCat(directory, "/", secret);
    return options;
  }
};

struct Meeting {
  const char* name;
  End server, client;
  uid_t owner;       // of the directory
  const char* text;  // in what the client gets: "<pid> <uid>", or an error
};
std::ostream& operator<<(std::ostream& out, const Meeting& meeting) { return out << meeting.name; }

class NamespacesTest : public ::testing::TestWithParam<Meeting> {};

TEST_P(NamespacesTest, Meet) {
  if (const std::string why = internal::WhyNoOtherUser(); !why.empty()) GTEST_SKIP() << why;
  const auto nothing = [] { return std::string(); };
  ForkedChild probe([&] { return Isolated({.uid = 100000}, nothing); });
  if (const std::string why = probe.Join(); !why.empty()) GTEST_SKIP() << why;

  const auto& [name, server_end, client_end, owner, text] = GetParam();
  const internal::TemporaryDirectory directory("/tmp");
  const std::string path = directory.path(), ready = path + "/ready";
  for (const std::string file : {"secret", "other"}) {
    std::ofstream(path + "/" + file) << file << " of the namespaces";
    PCHECK(chown((path + "/" + file).c_str(), 0, kGroup) == 0);
    PCHECK(chmod((path + "/" + file).c_str(), 0640) == 0);
  }
  PCHECK(chmod(path.c_str(), 01777) == 0 && chown(path.c_str(), owner, -1) == 0);
  ForkedChild server([&] {
    return Isolated(server_end.who,
                    [&] { return ServeUntilKilled(server_end.In<ServerOptions>(path), ready); });
  });
  ASSERT_TRUE(internal::Eventually([&] { return access(ready.c_str(), F_OK) == 0; }));
  ForkedChild client([&] {
    return Isolated(client_end.who, [&] { return Call(client_end.In<ChannelOptions>(path)); });
  });
  EXPECT_THAT(client.Join(), HasSubstr(text));
}

constexpr Who kOne{100000}, kOther{200000}, kOfAnotherGroup{200000, 3000};

INSTANTIATE_TEST_SUITE_P(
    All, NamespacesTest,
    ::testing::Values(
        Meeting{"uid",
                {kOne, false},
                {kOne, false},
                kOne.uid,
                "0 0 (the same user) is told 0 0 (the same user)"},
        Meeting{"trusted_uid",
                {kOne, false},
                {kOne, false, false, "", true},
                kOne.uid,
                "0 0 (the same user) is told 0 0 (trusted)"},
        Meeting{"no_uid", {kOne, false}, {kOther, false}, kOne.uid, "GRPC_CXL_TRUSTED_DIR"},
        Meeting{
            "directory", {kOne}, {kOther}, 0, "0 65534 (a stranger) is told 0 65534 (a stranger)"},
        Meeting{"group",
                {kOne, true, true},
                {kOther, true, true},
                0,
                "0 65534 (a stranger) is told 0 65534 (a stranger)"},
        Meeting{"no_group", {kOne, true, true}, {kOfAnotherGroup}, 0, "GRPC_CXL_ALLOWED_GROUPS"},
        Meeting{"secret",
                {kOne, true, false, "secret"},
                {kOther, true, false, "secret"},
                0,
                "0 65534 knows the secret (a stranger) is told "
                "0 65534 knows the secret (a stranger)"},
        Meeting{"another_secret",
                {kOne, true, false, "secret"},
                {kOther, true, false, "other"},
                0,
                "the client's shared secret is another one"},
        Meeting{"no_secret",
                {kOne, true, false, "secret"},
                {kOther},
                0,
                "asks for a shared secret, but the client has none"}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace grpc_cxl::e2e
