// SPDX-License-Identifier: Apache-2.0

// Proves that a program from which the linker has dropped a service's descriptor, as it does with a
// plain archive of generated code, is told how to link it, and that this helps: the same test is
// built with the archive as a whole.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "test/e2e/bare.grpc.pb.h"
#include "test/e2e/calls_fixture.h"
#include "test/e2e/log_capture.h"
#include "test/e2e/parity.h"

namespace grpc_cxl::e2e {
namespace {

using ::testing::HasSubstr;

TEST(BareTest, CallsAreDirectIfTheArchiveIsLinkedAsAWhole) {
  EchoPair pair(TransportKind::kCxlDirect);
  Connect(*pair.channel);
  LogCapture log(absl::LogSeverity::kWarning);
  const Paths paths;
  grpc::ClientContext context;
  EchoResponse response;
  const grpc::Status status = Bare::NewStub(pair.channel)->Ask(&context, {}, &response);
  EXPECT_EQ(status.error_code(), grpc::UNIMPLEMENTED);  // by this server
#ifdef BARE_AS_A_WHOLE
  EXPECT_EQ(paths.direct(), 1u);
  EXPECT_EQ(log.text(), "");
#else
  EXPECT_EQ(paths(&DirectCallStats::no_descriptor), 1u);
  EXPECT_THAT(log.text(), HasSubstr("link the library of its .pb.cc as a whole"));
#endif
}

}  // namespace
}  // namespace grpc_cxl::e2e
