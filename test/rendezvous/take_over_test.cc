// SPDX-License-Identifier: Apache-2.0
// Proves that a name passes from its owner to a successor, and has exactly one owner at any time:
// either may be killed before or after any of its system calls, or not answer.
#include "grpc_cxl/rendezvous/take_over.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpc_cxl/rendezvous/dial.h"
#include "grpc_cxl/rendezvous/handshake.h"
#include "grpc_cxl/rendezvous/name_listener.h"
#include "grpc_cxl/rendezvous/take_over_layout.h"
#include "gtest/gtest.h"
#include "test/rendezvous/at.h"
#include "test/support/await_readable.h"
#include "test/support/eventually.h"
#include "test/support/forked_child.h"
#include "test/support/stepped_child.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class TakeOverTest : public ::testing::Test {
 protected:
  absl::StatusOr<NameListener> Listen() const { return NameListener::Listen(at_, name_); }

  // The process to which the name leads a client, 0 when nobody listens.
  pid_t LeadsTo() const {
    const auto socket = Dial(at_, name_);
    return socket.ok() ? IdentifyPeer(socket->get())->pid : 0;
  }

  // The next successor that asks, told yes; empty when it was another client, or has gone.
  static UniqueFd NextSuccessor(NameListener& listener) {
    AwaitReadable(listener.fd());
    UniqueFd socket = *listener.Accept();
    if (!socket) return socket;
    AwaitReadable(socket.get());
    const auto hello = ReceiveHello(socket.get(), TrustedUsers{});
    const bool asks = hello.ok() && hello->has_value() && (*hello)->takes_over;
    return asks && SendWilling(socket.get()).ok() ? std::move(socket) : UniqueFd();
  }

  // The life of an owner that gives its name away.
  std::string Own() const {
    auto listener = Listen();
    if (!listener.ok()) return listener.status().ToString();
    for (;;) {
      const UniqueFd successor = NextSuccessor(*listener);
      if (!successor) continue;
      AwaitReadable(successor.get());
      const absl::StatusOr<bool> now = ReceiveNow(successor.get());
      if (now.ok() && *now && listener->HandOver(successor.get()).ok()) return "handed over";
    }
  }

  // The life of a successor: whoever owns the name, it serves in the end.
  std::string Succeed() const {
    for (;;) {
      auto listener = Listen();
      if (absl::IsAlreadyExists(listener.status())) {
        auto owner = TakeOver::Ask(at_, name_, {});
        if (absl::IsUnavailable(owner.status())) continue;
        if (!owner.ok()) return owner.status().ToString();
        auto taken = owner->Take();
        if (absl::IsUnavailable(taken.status())) continue;
        if (!taken.ok()) return taken.status().ToString();
        listener = NameListener::Prepare(at_, name_);
        const absl::Status adopted = listener->Adopt(at_, *std::move(taken));
        if (!adopted.ok()) return adopted.ToString();
      }
      if (!listener.ok()) return listener.status().ToString();
      return LeadsTo() == getpid() ? "serves" : "the name leads elsewhere";
    }
  }

  const TemporaryDirectory directory_;
  const RendezvousDirectory at_ = At(directory_.path());
  const ServiceName name_ = *ServiceName::Parse("payments");
};

class TakeOverStepTest : public TakeOverTest {
 protected:
  void SetUp() override {
    if (const std::string why = SteppedChild::WhyNot(); !why.empty()) GTEST_SKIP() << why;
  }
};

TEST_F(TakeOverStepTest, ASuccessorKilledAtAnyStepLeavesTheNameToItsOwner) {
  int kept = 0, given = 0;
  for (bool ended = false; !ended && !HasFailure();) {
    SCOPED_TRACE(absl::StrCat("at step ", kept + given));
    ForkedChild owner([&] { return Own(); });
    ASSERT_TRUE(Eventually([&] { return LeadsTo() == owner.pid(); }));
    SteppedChild successor([&] { return Succeed(); });
    ended = !successor.Step(kept + given);
    successor.Kill();
    auto next = TakeOver::Ask(at_, name_, {});
    if (next.ok()) {
      ++kept;  // it serves, and can give its name to another
      auto taken = next->Take();
      ASSERT_THAT(taken, IsOk());
      auto listener = NameListener::Prepare(at_, name_);
      EXPECT_THAT(listener->Adopt(at_, *std::move(taken)), IsOk());
      EXPECT_EQ(LeadsTo(), getpid());
    } else {
      ++given;
      EXPECT_TRUE(absl::IsUnavailable(next.status())) << next.status();
    }
    EXPECT_EQ(owner.Join(), "handed over");
    EXPECT_THAT(Listen(), IsOk());
    EXPECT_THAT(directory_.List(), IsEmpty());
  }
  EXPECT_GT(kept, 20);
  EXPECT_GT(given, 20);
}

TEST_F(TakeOverStepTest, AnOwnerKilledAtAnyStepLeavesTheNameToItsSuccessor) {
  int steps = 0;
  for (bool ended = false; !ended && !HasFailure(); ++steps) {
    SCOPED_TRACE(absl::StrCat("at step ", steps));
    SteppedChild owner([&] { return Own(); });
    while (LeadsTo() != owner.pid()) ASSERT_TRUE(owner.Step());
    ForkedChild successor([&] { return Succeed(); });
    ended = !owner.Step(steps);
    owner.Kill();
    EXPECT_EQ(successor.Join(), "serves");
    EXPECT_THAT(Listen(), IsOk());
    EXPECT_THAT(directory_.List(), IsEmpty());
  }
  EXPECT_GT(steps, 20);
}

// The successor has asked, is ready, and gives up after a while.
TEST_F(TakeOverTest, AnOwnerThatAnswersTooLateKeepsItsName) {
  auto listener = Listen();
  ASSERT_THAT(listener, IsOk());
  ForkedChild successor([&]() -> std::string {
    auto owner = TakeOver::Ask(at_, name_, {});
    return owner.ok() ? owner->Take().status().ToString() : owner.status().ToString();
  });
  const UniqueFd socket = NextSuccessor(*listener);
  ASSERT_TRUE(socket);
  EXPECT_THAT(successor.Join(), HasSubstr("does not answer"));
  EXPECT_THAT(listener->HandOver(socket.get()), Not(IsOk()));
  EXPECT_EQ(LeadsTo(), getpid());
}

TEST_F(TakeOverTest, AnOwnerThatLeavesGivesItsNameToTheSuccessorThatAsks) {
  auto listener = Listen();
  ASSERT_THAT(listener, IsOk());
  ForkedChild successor([&] { return Succeed(); });
  const UniqueFd socket = NextSuccessor(*listener);
  EXPECT_THAT(listener->HandOver(socket.get()), IsOk());  // maybe before it is ready
  EXPECT_EQ(successor.Join(), "serves");
}

// As an older release does.
TEST_F(TakeOverTest, AnOwnerThatRefusesIsNamed) {
  auto listener = Listen();
  ASSERT_THAT(listener, IsOk());
  ForkedChild successor([&] { return TakeOver::Ask(at_, name_, {}).status().ToString(); });
  AwaitReadable(listener->fd());
  const UniqueFd socket = *listener->Accept();
  AwaitReadable(socket.get());
  char hello[64];
  ASSERT_EQ(read(socket.get(), hello, sizeof(hello)), 24);
  SendRefusal(socket.get(), Refusal::kNotOurProtocol, "24 bytes instead of 32");
  EXPECT_THAT(successor.Join(), HasSubstr("24 bytes instead of 32; stop that server first"));
}

TEST_F(TakeOverTest, AServerOfAnotherUserIsRefused) {
  if (const std::string why = WhyNoOtherUser(); !why.empty()) GTEST_SKIP() << why;
  ASSERT_EQ(chmod(directory_.path().c_str(), 0755), 0);
  auto listener = Listen();
  ASSERT_THAT(listener, IsOk());
  ForkedChild other(kNobody, [&]() -> std::string {
    if (!absl::IsAlreadyExists(TakeOver::Ask(at_, name_, {}).status())) return "it asks";
    const auto socket = Dial(at_, name_);
    TakeOverMessage ask{};
    ask.preamble = {kHandshakeMagic, kLayoutVersion, kNoFeatures};
    ask.step = static_cast<uint32_t>(TakeOverStep::kAsk);
    WelcomeMessage answer{};
    if (!socket.ok() || send(socket->get(), &ask, sizeof(ask), 0) != sizeof(ask) ||
        !AwaitReadable(socket->get()) || recv(socket->get(), &answer, sizeof(answer), 0) <= 0) {
      return "no answer";
    }
    return RefusalOf(answer).ToString();
  });
  UniqueFd socket;
  for (int i = 0; i < 2; ++i) {  // the first only looks who the owner is
    ASSERT_TRUE(AwaitReadable(listener->fd()));
    socket = *listener->Accept();
  }
  ASSERT_TRUE(AwaitReadable(socket.get()));
  EXPECT_TRUE(absl::IsPermissionDenied(
      ReceiveHello(socket.get(), TrustedUsers{.everybody = true}).status()));
  EXPECT_THAT(other.Join(), HasSubstr("a server of another user"));
}

TEST_F(TakeOverTest, NothingIsAdoptedButTheNamesOwnFiles) {
  const auto other = NameListener::Listen(at_, *ServiceName::Parse("other"));
  ASSERT_THAT(other, IsOk());
  auto listener = NameListener::Prepare(at_, name_);
  ASSERT_THAT(listener, IsOk());
  EXPECT_FALSE(listener->Adopt(at_, {UniqueFd(dup(0)), UniqueFd(dup(other->fd()))}).ok());
  EXPECT_FALSE(listener->Adopt(at_, {UniqueFd(), UniqueFd()}).ok());
  EXPECT_THAT(listener->Restore(at_), IsOk());  // it is still free
}

}  // namespace
}  // namespace grpc_cxl::internal
