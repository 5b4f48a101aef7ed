#ifndef GRPC_CXL_TEST_E2E_CALLS_FIXTURE_H_
#define GRPC_CXL_TEST_E2E_CALLS_FIXTURE_H_

#include <gtest/gtest.h>

#include <string>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "test/e2e/client_call.h"
#include "test/e2e/echo_pair.h"
#include "test/e2e/echo_service.h"
#include "test/e2e/transport.h"

namespace grpc_cxl::e2e {

// For tests that hold for every kind of call, whatever the two ends are written with.
class EveryCall
    : public ::testing::TestWithParam<std::tuple<TransportKind, RpcKind, ClientApi, ServerApi>> {
 protected:
  EveryCall() : pair_(std::get<0>(GetParam()), {.api = server_api()}) {}

  RpcKind kind() const { return std::get<1>(GetParam()); }
  ServerApi server_api() const { return std::get<3>(GetParam()); }

  // A call with three messages in each direction in which it may have more than one.
  ClientCall NewCall() const {
    ClientCall call{.kind = kind(), .api = std::get<2>(GetParam())};
    const bool many = kind() == RpcKind::kClientStream || kind() == RpcKind::kBidi;
    call.requests.resize(many ? 3 : 1);
    for (size_t i = 0; i < call.requests.size(); ++i) {
      call.requests[i].mutable_script()->set_response_count(3);
      call.requests[i].set_payload(absl::StrCat("payload ", i));
    }
    return call;
  }

  EchoPair pair_;
};

inline std::string CallName(
    const ::testing::TestParamInfo<std::tuple<TransportKind, RpcKind, ClientApi, ServerApi>>&
        info) {
  return absl::StrCat(Name(std::get<0>(info.param)), "_", Name(std::get<1>(info.param)), "_",
                      Name(std::get<2>(info.param)), "_client_", Name(std::get<3>(info.param)),
                      "_server");
}

inline auto EveryCombination() {
  return ::testing::Combine(::testing::ValuesIn(kTestedTransports),
                            ::testing::ValuesIn(kAllRpcKinds), ::testing::ValuesIn(kAllClientApis),
                            ::testing::ValuesIn(kAllServerApis));
}

// For tests that differ by transport only.
class EveryTransport : public ::testing::TestWithParam<TransportKind> {};

inline std::string TransportName(const ::testing::TestParamInfo<TransportKind>& info) {
  return Name(info.param);
}

}  // namespace grpc_cxl::e2e

#endif  // GRPC_CXL_TEST_E2E_CALLS_FIXTURE_H_
