// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_E2E_CALLS_FIXTURE_H_
#define GRPC_CXL_TEST_E2E_CALLS_FIXTURE_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/notification.h"
#include "grpc_cxl/payload_counters.h"
#include "test/e2e/client_call.h"
#include "test/e2e/echo_pair.h"
#include "test/e2e/echo_service.h"
#include "test/e2e/transport.h"
#include "test/support/eventually.h"

namespace grpc_cxl::e2e {

// For tests that differ by transport only, or by transport and something else.
class EveryTransport : public ::testing::TestWithParam<TransportKind> {};
template <typename T>
class EveryTransportAnd : public ::testing::TestWithParam<std::tuple<TransportKind, T>> {
 protected:
  static TransportKind transport() { return std::get<0>(EveryTransportAnd::GetParam()); }
  static T other() { return std::get<1>(EveryTransportAnd::GetParam()); }
};

// What the two ends of a call are written with.
struct Apis {
  ClientApi client;
  ServerApi server;
};
inline std::string Name(const Apis& apis) {
  return absl::StrCat(Name(apis.client), "_client_", Name(apis.server), "_server");
}
// The ends do not see each other's API, so each has its turn; of the servers' each with a client
// that makes direct calls, which a completion queue does not.
inline constexpr Apis kApis[] = {{ClientApi::kSync, ServerApi::kSync},
                                 {ClientApi::kSync, ServerApi::kCallback},
                                 {ClientApi::kCallback, ServerApi::kCallback},
                                 {ClientApi::kCallback, ServerApi::kCompletionQueue},
                                 {ClientApi::kCompletionQueue, ServerApi::kSync}};

// For tests that hold for every kind of call in every API.
class EveryCall : public ::testing::TestWithParam<std::tuple<TransportKind, RpcKind, Apis>> {
 protected:
  EveryCall() : pair_(std::get<0>(GetParam()), {.api = server_api()}) {}

  RpcKind kind() const { return std::get<1>(GetParam()); }
  ServerApi server_api() const { return std::get<2>(GetParam()).server; }

  // A call with three messages in each direction in which it may have more than one.
  ClientCall NewCall() const {
    ClientCall call{.kind = kind(), .api = std::get<2>(GetParam()).client};
    call.requests.resize(ManyRequests(kind()) ? 3 : 1);
    for (size_t i = 0; i < call.requests.size(); ++i) {
      call.requests[i].mutable_script()->set_response_count(3);
      call.requests[i].set_payload(absl::StrCat("payload ", i));
    }
    return call;
  }

  EchoPair pair_;
};

inline auto EveryCombination() {
  return ::testing::Combine(::testing::ValuesIn(kTestedTransports),
                            ::testing::ValuesIn(kAllRpcKinds), ::testing::ValuesIn(kApis));
}

// The calls that can be inline.
inline auto EveryInlineCall() {
  return ::testing::Combine(::testing::Values(TransportKind::kCxlInline),
                            ::testing::Values(RpcKind::kUnary),
                            ::testing::Values(kApis[0], kApis[1]));
}

// How GoogleTest names a parameter: "cxl_direct", "cxl_direct_bidi".
struct ParamName {
  template <typename T>
  std::string operator()(const ::testing::TestParamInfo<T>& info) const {
    return Name(info.param);
  }
  template <typename... T>
  std::string operator()(const ::testing::TestParamInfo<std::tuple<T...>>& info) const {
    const auto join = [](const auto&... part) { return absl::StrJoin({Name(part)...}, "_"); };
    return std::apply(join, info.param);
  }
};

// A unary call of `method` on a generic stub, which must succeed.
template <typename Stub, typename Request, typename Response>
void CallGenerically(Stub& stub, const std::string& method, const Request* request,
                     Response* response) {
  grpc::ClientContext context;
  absl::Notification done;
  stub.UnaryCall(&context, method, {}, request, response, [&](const grpc::Status& status) {
    EXPECT_TRUE(status.ok()) << status.error_message();
    done.Notify();
  });
  done.WaitForNotification();
}

// By how much each counter has grown since it was made.
template <typename Counters>
class Since {
 public:
  explicit Since(Counters (*get)()) : get_(get), before_(get()) {}
  uint64_t operator()(uint64_t Counters::*counter) const {
    return get_().*counter - before_.*counter;
  }

 private:
  Counters (*const get_)();
  const Counters before_;
};

// Nothing is lent by, nor to, this process. gRPC drops its last slices on threads of its own.
inline void ExpectNothingLent() {
  PayloadCounters counters;
  EXPECT_TRUE(internal::Eventually([&counters] {
    counters = GetPayloadCounters();
    return counters.loans_out == 0 && counters.loans_held == 0;
  })) << counters.loans_out
      << " loans out, " << counters.loans_held << " held";
}

}  // namespace grpc_cxl::e2e

#endif  // GRPC_CXL_TEST_E2E_CALLS_FIXTURE_H_
