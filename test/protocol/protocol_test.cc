// SPDX-License-Identifier: Apache-2.0
// A client that knows docs/protocol.md and nothing else (protocol_client.py) makes calls of every
// kind on a real server. For each check that the document demands of a server, a client with one
// wrong value is turned away as the document says, harms no other, and leaves nothing behind. What
// no check is for costs a client its connection at most.

#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>
#include <stdio.h>
#include <sys/stat.h>

#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "grpc_cxl/direct_calls.h"
#include "grpc_cxl/server_credentials.h"
#include "test/protocol/document.h"
#include "test/protocol/mirror_service.h"
#include "test/support/eventually.h"
#include "test/support/process_state.h"

namespace grpc_cxl::protocol_test {
namespace {

// What the client prints.
std::string RunClient(const std::string& arguments) {
  FILE* const output = popen(
      absl::StrCat("python3 -BS test/protocol/mirror_calls.py ", arguments, " 2>&1").c_str(), "r");
  PCHECK(output != nullptr);
  std::string text;
  char piece[4096];
  for (size_t size; (size = fread(piece, 1, sizeof(piece), output)) > 0;) text.append(piece, size);
  const int status = pclose(output);
  return absl::StrCat(absl::StripSuffix(text, "\n"),
                      status == 0 ? "" : absl::StrCat(" (status ", status, ")"));
}

// Name and outcome of each.
using NamedOutcome = std::pair<std::string, std::string>;
std::vector<NamedOutcome> ServerChecks() {
  std::vector<NamedOutcome> checks;
  for (const Check& check : ReadChecks()) {
    if (check.reader != "client") checks.emplace_back(check.name, check.outcome);
  }
  return checks;
}

class ProtocolTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    const std::string directory = Directory();
    mkdir(directory.c_str(), 0);
    chmod(directory.c_str(), 0755);  // another user must find the socket (check C1)
    ServerOptions usual, small;
    usual.rendezvous_directory = small.rendezvous_directory = directory;
    ServerOptions secret = usual;
    secret.secret_file = testing::TempDir() + "/secret";
    std::ofstream(secret.secret_file) << "the secret of protocol_test.cc\n";
    chmod(secret.secret_file.c_str(), 0600);
    usual.ring_bytes = 64 << 10;
    usual.payload_bytes = 1 << 20;
    small.ring_bytes = 4 << 10;
    small.payload_bytes = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("cxl:///protocol/usual", ServerCredentials(usual));
    builder.AddListeningPort("cxl:///protocol/small", ServerCredentials(small));
    builder.AddListeningPort("cxl:///protocol/secret", ServerCredentials(secret));
    builder.RegisterService(&Service());
    Server() = builder.BuildAndStart();
    ASSERT_NE(Server(), nullptr);
    ASSERT_TRUE(EnableDirectCalls(*Server()).ok());
    ASSERT_EQ(MakeCalls(), "good");  // opens what stays open
    ASSERT_TRUE(internal::Eventually([] { return internal::CountArenas() == 0; }));
    Files() = internal::CountOpenFiles();
  }
  void TearDown() override {
    EXPECT_TRUE(internal::Eventually([] {
      return internal::CountOpenFiles() <= Files() && internal::CountArenas() == 0;
    })) << internal::CountOpenFiles()
        << " open files, not " << Files();
  }
  static void TearDownTestSuite() {
    Shutdown(*Server());
    Server() = nullptr;
  }

  static std::string Directory() { return testing::TempDir() + "/names"; }
  static MirrorService& Service() {
    static MirrorService service;
    return service;
  }
  static std::unique_ptr<grpc::Server>& Server() {
    static std::unique_ptr<grpc::Server> server;
    return server;
  }
  static int& Files() {
    static int files;
    return files;
  }
  static std::string MakeCalls(const std::string& more = "") {
    return RunClient(absl::StrCat("--directory=", Directory(), more));
  }
};

TEST_F(ProtocolTest, CallsOfEveryKind) { EXPECT_EQ(MakeCalls(), "good"); }

TEST_F(ProtocolTest, WhatNoCheckIsForHarmsNoOther) { EXPECT_EQ(MakeCalls(" --odd"), "good"); }

TEST_F(ProtocolTest, EveryCheckOfTheServerCanBeBroken) {
  const std::vector<Check> checks = ReadChecks();
  for (size_t i = 0; i < checks.size(); ++i) EXPECT_EQ(checks[i].name, absl::StrCat("C", i + 1));
  std::vector<std::string> of_server;
  for (const auto& [name, outcome] : ServerChecks()) of_server.push_back(name);
  EXPECT_GT(of_server.size(), 30u);
  const std::vector<std::string> breakable = absl::StrSplit(RunClient("--list"), '\n');
  EXPECT_EQ(breakable, of_server);
}

class CheckTest : public ProtocolTest, public ::testing::WithParamInterface<NamedOutcome> {};

TEST_P(CheckTest, AWrongValueIsFound) {
  const std::string outcome = MakeCalls(absl::StrCat(" --break=", GetParam().first));
  if (outcome == "no other user\ngood") GTEST_SKIP() << "this user cannot become another one";
  EXPECT_EQ(outcome, GetParam().second + "\ngood");
}

INSTANTIATE_TEST_SUITE_P(All, CheckTest, ::testing::ValuesIn(ServerChecks()),
                         [](const auto& info) { return info.param.first; });

}  // namespace
}  // namespace grpc_cxl::protocol_test
