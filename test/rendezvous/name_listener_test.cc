// SPDX-License-Identifier: Apache-2.0
// Proves what one server sees: a name has one owner, whose pid the next one reads (that it is
// told: e2e/errors_test.cc); an owner leaves nothing behind; what a killed one left is taken over;
// and everything that can be in the way is an error with a clear text, and is left alone. Who owns
// a name when several processes want it is name_owner_test.cc's question.
#include "grpc_cxl/rendezvous/name_listener.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpc_cxl/rendezvous/dial.h"
#include "grpc_cxl/rendezvous/replica_name.h"
#include "gtest/gtest.h"
#include "test/rendezvous/at.h"
#include "test/support/forked_child.h"
#include "test/support/process_state.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class NameListenerTest : public ::testing::Test {
 protected:
  absl::StatusOr<NameListener> Listen() { return NameListener::Listen(at_, name_); }

  std::string In(const std::string& file) const {
    return absl::StrCat(directory_.path(), "/", file);
  }
  std::string Read(const std::string& file) const {
    std::ifstream stream(In(file));
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  const TemporaryDirectory directory_;
  const RendezvousDirectory at_ = At(directory_.path());
  const ServiceName name_ = *ServiceName::Parse("shop/payments");
};

TEST_F(NameListenerTest, TheNameIsASocketAndALockWithOurPid) {
  const mode_t before = umask(0077);  // nothing depends on it
  auto listener = Listen();
  umask(before);
  ASSERT_THAT(listener, IsOk());
  EXPECT_THAT(directory_.List(), ElementsAre("shop+payments.lock", "shop+payments.sock"));
  EXPECT_EQ(Read("shop+payments.lock"), absl::StrCat(getpid(), "\n"));

  struct stat found;
  ASSERT_EQ(lstat(In("shop+payments.sock").c_str(), &found), 0);
  EXPECT_TRUE(S_ISSOCK(found.st_mode));
  EXPECT_EQ(found.st_mode & 07777, 0666u);  // the handshake decides who may stay
  ASSERT_EQ(lstat(In("shop+payments.lock").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 07777, 0600u);
}

TEST_F(NameListenerTest, AcceptsAClientThatWaitsAndNeverBlocks) {
  auto listener = Listen();
  ASSERT_THAT(listener, IsOk());
  auto nobody = listener->Accept();
  ASSERT_THAT(nobody, IsOk());
  EXPECT_FALSE(*nobody);
  auto client = Dial(at_, name_);
  ASSERT_THAT(client, IsOk());
  auto server = listener->Accept();
  ASSERT_THAT(server, IsOk());
  ASSERT_TRUE(*server);
  for (int fd : {listener->fd(), client->get(), server->get()}) {
    EXPECT_TRUE(fcntl(fd, F_GETFL) & O_NONBLOCK);
    EXPECT_TRUE(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    int type = 0;
    socklen_t size = sizeof(type);
    ASSERT_EQ(getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size), 0);
    EXPECT_EQ(type, SOCK_SEQPACKET);
  }
  { auto gone_meanwhile = Dial(at_, name_); }
  server = listener->Accept();
  ASSERT_THAT(server, IsOk());
  ASSERT_TRUE(*server);
  char byte;
  EXPECT_EQ(read(server->get(), &byte, 1), 0);
}

TEST_F(NameListenerTest, NamesDoNotDisturbEachOtherAndLeaveNothing) {
  const int before = CountOpenFiles();
  for (int i = 0; i < 100; ++i) {
    std::vector<NameListener> listeners;
    for (const char* name : {"a", "a/b", "b", "a.sock", "a.lock"}) {
      auto listener = NameListener::Listen(at_, *ServiceName::Parse(name));
      ASSERT_THAT(listener, IsOk()) << name;
      listeners.push_back(*std::move(listener));
    }
    ASSERT_EQ(directory_.List().size(), 10u);
    listeners.clear();
    ASSERT_THAT(directory_.List(), IsEmpty());
  }
  EXPECT_EQ(CountOpenFiles(), before);
}

TEST_F(NameListenerTest, MovingTakesTheNameAlong) {
  auto other_name = *ServiceName::Parse("other");
  auto listener = Listen();
  auto other = NameListener::Listen(at_, other_name);
  ASSERT_THAT(listener, IsOk());
  ASSERT_THAT(other, IsOk());

  NameListener moved = *std::move(listener);
  EXPECT_THAT(Dial(at_, name_), IsOk());
  EXPECT_THAT(moved.Accept(), IsOk());
  moved = *std::move(other);  // gives the first name up
  EXPECT_THAT(directory_.List(), ElementsAre("other.lock", "other.sock"));
  EXPECT_THAT(Dial(at_, other_name), IsOk());
}

TEST_F(NameListenerTest, ReplicasHaveNumbersAndKeepOthersOut) {
  const auto replica = [&] { return NameListener::ListenAsReplica(at_, name_); };
  const auto find = [&](const RendezvousDirectory& directory) {
    std::vector<std::string> found;
    for (const ServiceName& name : FindReplicas(directory, name_)) found.push_back(name.str());
    return found;
  };
  auto first = replica();
  {
    const auto second = replica(), third = replica();
    ASSERT_THAT(third, IsOk());
    EXPECT_EQ(third->name(), "shop/payments=2");
    first = absl::CancelledError();
    first = replica();
    ASSERT_THAT(first, IsOk());
    EXPECT_EQ(first->name(), "shop/payments=0");
    EXPECT_THAT(Dial(at_, ServiceName::Reserved("shop/payments=0")), IsOk());
    EXPECT_THAT(find(at_),
                UnorderedElementsAre("shop/payments=0", "shop/payments=1", "shop/payments=2"));
    // Strangers' files, and other rollouts.
    for (const char* file : {"shop+payments=3.sock", "shop+payments=4.lock"}) {
      std::ofstream(In(file)) << "a file";
    }
    for (const char* link :
         {"shop+payments=03.sock", "shop+payments=100.sock", "shop+payments=x.sock",
          "shop+payments=-1.sock", "shop+payments=5~blue.sock", "other=6.sock"}) {
      ASSERT_EQ(symlink("shop+payments=0.sock", In(link).c_str()), 0);
    }
    EXPECT_EQ(find(at_).size(), 3u);
    const auto blue =
        RendezvousDirectory::Open({.configured = directory_.path(), .rollout = "blue"});
    EXPECT_THAT(find(*blue), IsEmpty()) << "nobody shares the name's lock";
    std::ofstream(In("shop+payments~blue.lock"));
    EXPECT_THAT(find(*blue), ElementsAre("shop/payments=5"));
    EXPECT_THAT(Listen(),
                StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("ServerOptions::replicas")));
  }
  ASSERT_THAT(Listen(), StatusIs(absl::StatusCode::kAlreadyExists));
  first = absl::CancelledError();
  const auto plain = Listen();
  ASSERT_THAT(plain, IsOk());
  EXPECT_THAT(replica(), StatusIs(absl::StatusCode::kAlreadyExists,
                                  AllOf(HasSubstr(absl::StrCat("process ", getpid())),
                                        HasSubstr("ServerOptions::replicas"))));
}

TEST_F(NameListenerTest, AReplicaRemovesWhatADeadServerLeftAndRestoresWhatIsRemoved) {
  ForkedChild killed([&] {
    const auto listener = Listen();
    if (listener.ok()) raise(SIGKILL);
    return listener.status().ToString();
  });
  killed.Join();
  auto replica = NameListener::ListenAsReplica(at_, name_);
  ASSERT_THAT(replica, IsOk());
  EXPECT_THAT(directory_.List(),
              ElementsAre("shop+payments.lock", "shop+payments=0.lock", "shop+payments=0.sock"));
  for (const std::string& file : directory_.List()) ASSERT_EQ(unlink(In(file).c_str()), 0);
  EXPECT_THAT(replica->Restore(at_), IsOk());
  EXPECT_EQ(directory_.List().size(), 3u);
  EXPECT_THAT(Listen(), StatusIs(absl::StatusCode::kAlreadyExists));
  replica = absl::CancelledError();
  EXPECT_THAT(directory_.List(), IsEmpty());
}

TEST_F(NameListenerTest, WhatAKilledOwnerLeftIsNobodysAndIsTakenOver) {
  ForkedChild killed([&] {
    auto listener = Listen();
    if (!listener.ok()) return listener.status().ToString();
    raise(SIGKILL);
    return std::string();
  });
  ASSERT_EQ(killed.Join(), "killed by signal 9");
  ASSERT_THAT(directory_.List(), ElementsAre("shop+payments.lock", "shop+payments.sock"));
  EXPECT_THAT(Dial(at_, name_),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("no server listens")));
  std::ofstream(In("shop+payments.lock")) << "99999999999\nand more\n";
  {
    auto listener = Listen();
    ASSERT_THAT(listener, IsOk());
    EXPECT_EQ(Read("shop+payments.lock"), absl::StrCat(getpid(), "\n"));
    EXPECT_THAT(Dial(at_, name_), IsOk());
  }
  EXPECT_THAT(directory_.List(), IsEmpty());
}

TEST_F(NameListenerTest, AChildsCopyRemovesNothing) {
  auto listener = Listen();
  ASSERT_THAT(listener, IsOk());
  ForkedChild child([&] {
    { NameListener copy = *std::move(listener); }
    return "";
  });
  EXPECT_EQ(child.Join(), "");
  EXPECT_THAT(Dial(at_, name_), IsOk());
}

TEST_F(NameListenerTest, ASuccessorsFilesAreSafeFromAnOwnerWhoseOwnWereRemovedByHand) {
  auto first = Listen();
  ASSERT_THAT(first, IsOk());
  std::filesystem::remove(In("shop+payments.lock"));
  std::filesystem::remove(In("shop+payments.sock"));
  auto second = Listen();
  ASSERT_THAT(second, IsOk());
  EXPECT_THAT(first->Restore(at_), StatusIs(absl::StatusCode::kAlreadyExists));
  { NameListener gone = *std::move(first); }
  EXPECT_THAT(Dial(at_, name_), IsOk());
  EXPECT_THAT(directory_.List(), ElementsAre("shop+payments.lock", "shop+payments.sock"));
}

// An owner that can still be reached is not displaced, and restores its lock.
TEST_F(NameListenerTest, WithoutItsLockFileAnOwnerStillHasItsName) {
  auto first = Listen();
  ASSERT_THAT(first, IsOk());
  std::filesystem::remove(In("shop+payments.lock"));
  EXPECT_THAT(Listen(), StatusIs(absl::StatusCode::kAlreadyExists,
                                 HasSubstr(absl::StrCat("process ", getpid()))));
  EXPECT_THAT(directory_.List(), ElementsAre("shop+payments.sock"));
  EXPECT_THAT(Dial(at_, name_), IsOk());
  EXPECT_THAT(first->Restore(at_), IsOkAndHolds(NameListener::Restored::kLock));
  EXPECT_THAT(first->Restore(at_), IsOkAndHolds(NameListener::Restored::kNothing));
  EXPECT_EQ(Read("shop+payments.lock"), absl::StrCat(getpid(), "\n"));
}

TEST_F(NameListenerTest, RestoresWhatWasRemovedOrReplaced) {
  auto listener = Listen();
  ASSERT_THAT(listener, IsOk());
  const auto remove = [&](const std::string& file) { std::filesystem::remove_all(In(file)); };
  const auto expect_restored = [&](const RendezvousDirectory& at) {
    EXPECT_FALSE(Dial(at, name_).ok());
    EXPECT_THAT(listener->Restore(at), IsOkAndHolds(NameListener::Restored::kSocket));
    EXPECT_THAT(Dial(at, name_), IsOk());
    EXPECT_TRUE(*listener->Accept());
    EXPECT_THAT(directory_.List(), ElementsAre("shop+payments.lock", "shop+payments.sock"));
  };
  remove("shop+payments.sock");
  expect_restored(at_);
  remove("shop+payments.sock");
  remove("shop+payments.lock");
  expect_restored(at_);
  // The directory, with its mode.
  ASSERT_EQ(chmod(directory_.path().c_str(), 01777), 0);
  std::filesystem::remove_all(directory_.path());
  const auto made = at_.Reopen();
  ASSERT_THAT(made, IsOk());
  expect_restored(*made);
  struct stat found;
  ASSERT_EQ(fstat(made->fd(), &found), 0);
  EXPECT_EQ(found.st_mode & 07777, 01777u);
  // Moved away: nothing is left there.
  const TemporaryDirectory elsewhere;
  std::filesystem::rename(directory_.path(), elsewhere.path());
  std::filesystem::create_directory(directory_.path());
  const auto other = at_.Reopen();
  ASSERT_THAT(other, IsOk());
  expect_restored(*other);
  EXPECT_THAT(elsewhere.List(), IsEmpty());
}

TEST_F(NameListenerTest, TheLongestNameWorksInADirectoryOfAnyLength) {
  std::string path = directory_.path();
  for (int i = 0; i < 5; ++i) path += "/" + std::string(200, 'd');
  std::filesystem::create_directories(path);
  const auto longest = *ServiceName::Parse(std::string(39, 'n') + "/" + std::string(40, 'n'));
  auto listener = NameListener::Listen(At(path), longest);
  ASSERT_THAT(listener, IsOk());
  EXPECT_THAT(Dial(At(path), longest), IsOk());
  EXPECT_TRUE(*listener->Accept());
}

TEST_F(NameListenerTest, ADirectoryThatIsNotWritableIsNamed) {
  if (const std::string why = WhyNoOrdinaryUser(); !why.empty()) GTEST_SKIP() << why;
  const TemporaryDirectory read_only("/tmp");
  ASSERT_EQ(chmod(read_only.path().c_str(), 0555), 0);
  ForkedChild child(OrdinaryUser(), [&] {
    return NameListener::Listen(At(read_only.path()), name_).status().ToString();
  });
  EXPECT_THAT(child.Join(),
              AllOf(HasSubstr("PERMISSION_DENIED"), HasSubstr("\"shop/payments\""),
                    HasSubstr(read_only.path()), HasSubstr(absl::StrCat("uid ", OrdinaryUser())),
                    HasSubstr("GRPC_CXL_DIR")));
}

TEST_F(NameListenerTest, ALockLeftByAnotherUserIsNamed) {
  if (const std::string why = WhyNoOtherUser(); !why.empty()) GTEST_SKIP() << why;
  const TemporaryDirectory shared("/tmp");
  ASSERT_EQ(chmod(shared.path().c_str(), 01777), 0);
  auto listener = NameListener::Listen(At(shared.path()), name_);
  ASSERT_THAT(listener, IsOk());
  ForkedChild child(
      kNobody, [&] { return NameListener::Listen(At(shared.path()), name_).status().ToString(); });
  EXPECT_THAT(child.Join(), AllOf(HasSubstr("PERMISSION_DENIED"), HasSubstr("shop+payments.lock"),
                                  HasSubstr("uid 65534")));
}

// Whatever is in the way stays as it is, and nothing is written through it.
TEST_F(NameListenerTest, FilesThatAreNotOursAreRefusedAndLeftAlone) {
  const std::string precious = In("precious");
  std::ofstream(precious) << "precious";
  const std::string lock = In("shop+payments.lock");
  const std::string socket = In("shop+payments.sock");
  const struct {
    std::string path;
    void (*plant)(const std::string& path, const std::string& precious);
  } kCases[] = {
      {lock, [](auto& path, auto& target) { std::filesystem::create_symlink(target, path); }},
      {lock, [](auto& path, auto& target) { std::filesystem::create_hard_link(target, path); }},
      {lock, [](auto& path, auto&) { std::filesystem::create_directory(path); }},
      {lock, [](auto& path, auto&) { mkfifo(path.c_str(), 0600); }},
      {socket, [](auto& path, auto& target) { std::filesystem::create_symlink(target, path); }},
      {socket, [](auto& path, auto& target) { std::filesystem::copy_file(target, path); }},
      {socket, [](auto& path, auto&) { std::filesystem::create_directory(path); }},
  };
  for (const auto& c : kCases) {
    c.plant(c.path, precious);
    EXPECT_THAT(Listen(), StatusIs(absl::StatusCode::kFailedPrecondition,
                                   AllOf(HasSubstr(c.path), HasSubstr("is in the way"),
                                         HasSubstr("move it away"))));
    struct stat found;
    EXPECT_EQ(lstat(c.path.c_str(), &found), 0);
    EXPECT_EQ(Read("precious"), "precious");
    std::filesystem::remove(c.path);
    EXPECT_THAT(directory_.List(), ElementsAre("precious"));
  }
  EXPECT_THAT(Listen(), IsOk());
}

TEST_F(NameListenerTest, NoDescriptorLeftIsAnErrorAndPasses) {
  auto listener = Listen();
  ASSERT_THAT(listener, IsOk());
  auto client = Dial(at_, name_);
  ASSERT_THAT(client, IsOk());
  absl::Status results[3];
  {
    const NoMoreFiles full;
    results[0] = listener->Accept().status();
    results[1] = NameListener::Listen(at_, *ServiceName::Parse("other")).status();
    results[2] = Dial(at_, name_).status();
  }
  for (const absl::Status& result : results) {
    EXPECT_THAT(result, StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("ulimit -n")));
  }
  EXPECT_THAT(results[0].message(), HasSubstr("\"shop/payments\""));
  auto accepted = listener->Accept();  // the client has waited
  ASSERT_THAT(accepted, IsOk());
  EXPECT_TRUE(*accepted);
}

}  // namespace
}  // namespace grpc_cxl::internal
