// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_E2E_BLOBS_SERVER_H_
#define GRPC_CXL_TEST_E2E_BLOBS_SERVER_H_

#include <grpcpp/server_builder.h>

#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "absl/log/check.h"
#include "absl/strings/cord.h"
#include "grpc_cxl/payload_placement.h"
#include "test/e2e/blobs.grpc.pb.h"
#include "test/e2e/echo_pair.h"

namespace grpc_cxl::e2e {

inline void UsePlacement(grpc::ServerBuilder* builder) {
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> creators;
  creators.push_back(PayloadPlacement());
  builder->experimental().SetInterceptorCreators(std::move(creators));
  builder->SetMaxReceiveMessageSize(-1);
}

// A server of Blobs that keeps what it gets, for clients that make one call at a time.
class BlobsServer final : public Blobs::CallbackService {
 public:
  explicit BlobsServer(const Transport& transport) {
    server_ = Serve(transport, [this](grpc::ServerBuilder* builder) {
      builder->RegisterService(this);
      UsePlacement(builder);
    });
    CHECK(server_ != nullptr);
  }
  ~BlobsServer() override { server_->Shutdown(std::chrono::system_clock::now()); }

  std::vector<absl::Cord> kept;  // every request's; to be looked at between calls

 private:
  grpc::ServerUnaryReactor* Swap(grpc::CallbackServerContext* context, const Blob* request,
                                 Blob* response) override {
    kept.push_back(request->data());
    response->set_data(request->data());
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  std::unique_ptr<grpc::Server> server_;
};

}  // namespace grpc_cxl::e2e

#endif  // GRPC_CXL_TEST_E2E_BLOBS_SERVER_H_
