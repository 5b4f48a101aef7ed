// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_E2E_TLS_H_
#define GRPC_CXL_TEST_E2E_TLS_H_

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>

#include <fstream>
#include <memory>
#include <sstream>
#include <string>

#include "absl/log/check.h"

namespace grpc_cxl::e2e {

// See testdata/make_certificates.sh. `file` in the way of "server.pem".
inline std::string TestData(const std::string& file) {
  std::ifstream in("test/e2e/testdata/" + file);
  CHECK(in.is_open()) << "no " << file << "; run this test from the workspace's top";
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

inline std::shared_ptr<grpc::ServerCredentials> ServerTls(const std::string& owner,
                                                          bool ask_for_client = false) {
  grpc::SslServerCredentialsOptions options(
      ask_for_client ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                     : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  options.pem_root_certs = TestData("ca.pem");
  options.pem_key_cert_pairs.push_back({TestData(owner + ".key"), TestData(owner + ".pem")});
  return grpc::SslServerCredentials(options);
}

inline std::shared_ptr<grpc::ChannelCredentials> ClientTls(const std::string& owner = "") {
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = TestData("ca.pem");
  if (!owner.empty()) {
    options.pem_private_key = TestData(owner + ".key");
    options.pem_cert_chain = TestData(owner + ".pem");
  }
  return grpc::SslCredentials(options);
}

}  // namespace grpc_cxl::e2e

#endif  // GRPC_CXL_TEST_E2E_TLS_H_
