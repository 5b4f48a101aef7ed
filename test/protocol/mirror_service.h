// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_PROTOCOL_MIRROR_SERVICE_H_
#define GRPC_CXL_TEST_PROTOCOL_MIRROR_SERVICE_H_

#include <memory>
#include <string>

#include "grpc_cxl/serve_back.h"
#include "test/protocol/mirror.grpc.pb.h"

namespace grpc_cxl::protocol_test {

// Answers with the pixels that it was sent, `copies` times. Metadata of the request tell more:
// "key" comes back as initial metadata "seen-key", "k-bin" as trailing metadata "seen-k-bin";
// "fail" makes its value an error; with "wait" the call ends when it is cancelled; with "back" it
// is made at its client, and ends as it does there.
class MirrorService final : public Mirror::CallbackService {
 public:
  grpc::ServerUnaryReactor* Reflect(grpc::CallbackServerContext* context, const Image* request,
                                    Image* response) override {
    const auto& metadata = context->client_metadata();
    if (metadata.count("wait") > 0) return new UntilCancelled;
    if (metadata.count("back") > 0) return CallBack(context, request, response);
    if (const auto key = metadata.find("key"); key != metadata.end()) {
      context->AddInitialMetadata("seen-key", std::string(key->second.data(), key->second.size()));
    }
    if (const auto key = metadata.find("k-bin"); key != metadata.end()) {
      context->AddTrailingMetadata("seen-k-bin",
                                   std::string(key->second.data(), key->second.size()));
    }
    grpc::Status status;
    if (const auto fail = metadata.find("fail"); fail != metadata.end()) {
      status = grpc::Status(grpc::StatusCode::FAILED_PRECONDITION,
                            std::string(fail->second.data(), fail->second.size()), "details");
    }
    for (uint32_t i = 0; i < request->copies(); ++i) {
      response->mutable_pixels()->append(request->pixels());
    }
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    reactor->Finish(status);
    return reactor;
  }

 private:
  static grpc::ServerUnaryReactor* CallBack(grpc::CallbackServerContext* context,
                                            const Image* request, Image* response) {
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    const auto peer = ChannelToPeer(*context);
    if (!peer.ok()) {
      reactor->Finish({grpc::StatusCode::INTERNAL, std::string(peer.status().message())});
      return reactor;
    }
    const auto back = std::make_shared<grpc::ClientContext>();
    Mirror::NewStub(*peer)->async()->Reflect(
        back.get(), request, response,
        [back, reactor](const grpc::Status& status) { reactor->Finish(status); });
    return reactor;
  }

  class UntilCancelled final : public grpc::ServerUnaryReactor {
    void OnCancel() override { Finish(grpc::Status::CANCELLED); }
    void OnDone() override { delete this; }
  };
};

}  // namespace grpc_cxl::protocol_test

#endif  // GRPC_CXL_TEST_PROTOCOL_MIRROR_SERVICE_H_
