// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/payload/message_placement.h"

#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <utility>

#include "grpc_cxl/blocks/block_pool.h"
#include "grpc_cxl/payload/message_size_predictor.h"
#include "grpc_cxl/payload/message_types.h"
#include "grpc_cxl/payload/peer_metadata.h"
#include "grpc_cxl/payload/pool_directory.h"
#include "grpc_cxl/payload/priority_metadata.h"
#include "grpc_cxl/priority_level.h"

namespace grpc_cxl::internal {
namespace {

using google::protobuf::Message;
using grpc::experimental::ClientInterceptorFactoryInterface;
using grpc::experimental::ClientRpcInfo;
using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::Interceptor;
using grpc::experimental::InterceptorBatchMethods;
using grpc::experimental::ServerInterceptorFactoryInterface;
using grpc::experimental::ServerRpcInfo;

// `message`, which takes `bytes`, in a block of `pool`; an invalid buffer when that cannot be.
grpc::ByteBuffer Place(const Message& message, size_t bytes, BlockPool& pool, Priority priority) {
  absl::StatusOr<BlockPool::Block> block = pool.Allocate(bytes, priority);
  // A peer that has broken the return ring: the endpoint will find out, and say so.
  if (!block.ok() || !*block) return {};
  auto* const begin = reinterpret_cast<uint8_t*>(block->memory().data());
  // Unequal when another thread changes the message meanwhile; gRPC will say so.
  if (message.SerializeWithCachedSizesToArray(begin) != begin + bytes) return {};
  const auto destroy = [](void* held) { delete static_cast<BlockPool::Block*>(held); };
  const grpc::Slice slice(begin, bytes, destroy, new BlockPool::Block(*std::move(block)));
  return grpc::ByteBuffer(&slice, 1);
}

// One RPC's interceptor, on either side.
class Placement : public Interceptor {
 public:
  // `predictor` may be null; it outlives all calls.
  Placement(const Message& prototype, MessageSizePredictor* predictor, const char* method)
      : prototype_(prototype), predictor_(predictor), method_(method) {}

  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_MESSAGE)) {
      PlaceMessage(methods);
    }
    methods->Proceed();
  }

 protected:
  Priority priority_ = Priority::kDefault;  // of the call; set before or in Pool()

 private:
  virtual std::shared_ptr<BlockPool> Pool() = 0;

  void PlaceMessage(InterceptorBatchMethods* methods) {
    const void* const object = methods->GetSendMessage();
    if (!IsMessageOf(object, prototype_)) return;
    const Message& message = *static_cast<const Message*>(object);
    const size_t bytes = message.ByteSizeLong();
    const bool large = bytes >= kBlockThreshold;
    if (predictor_ != nullptr) predictor_->Record(method_, large);
    if (!large) return;
    const std::shared_ptr<BlockPool> pool = Pool();
    if (pool == nullptr) return;
    grpc::ByteBuffer placed = Place(message, bytes, *pool, priority_);
    if (!placed.Valid()) return;
    methods->ModifySendMessage(nullptr);  // else gRPC would serialise it once more
    methods->GetSerializedSendMessage()->Swap(&placed);
  }

  const Message& prototype_;
  MessageSizePredictor* const predictor_;
  const char* const method_;
};

// Whether to look at the messages of a call; a stream's always.
template <typename Info>
bool ShouldLook(MessageSizePredictor& predictor, const Info& info) {
  return info.type() != Info::Type::UNARY || predictor.ShouldLook(info.method());
}

// Whose predictor the call is to inform.
template <typename Info>
MessageSizePredictor* PredictorFor(MessageSizePredictor& predictor, const Info& info) {
  return info.type() == Info::Type::UNARY ? &predictor : nullptr;
}

class ClientPlacement final : public Placement {
 public:
  ClientPlacement(const Message& prototype, MessageSizePredictor* predictor, const char* method,
                  const std::string& pool_key)
      : Placement(prototype, predictor, method), pool_key_(pool_key) {}

  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      priority_ = PriorityIn(*methods->GetSendInitialMetadata());
    }
    Placement::Intercept(methods);
  }

 private:
  std::shared_ptr<BlockPool> Pool() override { return FindPool(pool_key_); }

  const std::string& pool_key_;  // the factory's, which outlives all calls
};

class ClientFactory final : public ClientInterceptorFactoryInterface {
 public:
  explicit ClientFactory(std::string pool_key) : pool_key_(std::move(pool_key)) {}

  Interceptor* CreateClientInterceptor(ClientRpcInfo* info) override {
    if (!ShouldLook(predictor_, *info)) return nullptr;
    // Over the network there are no blocks, and nothing is to be gained.
    if (FindPool(pool_key_) == nullptr) return nullptr;
    const MessageTypes* const types = FindMessageTypes(info->method());
    if (types == nullptr) return nullptr;
    return new ClientPlacement(*types->request, PredictorFor(predictor_, *info), info->method(),
                               pool_key_);
  }

 private:
  MessageSizePredictor predictor_;
  const std::string pool_key_;
};

class ServerPlacement final : public Placement {
 public:
  ServerPlacement(const Message& prototype, MessageSizePredictor* predictor, const char* method,
                  grpc::ServerContextBase* context)
      : Placement(prototype, predictor, method), context_(context) {}

 private:
  // A stream's peer stays the same.
  std::shared_ptr<BlockPool> Pool() override {
    if (!looked_up_) {
      looked_up_ = true;
      pool_ = FindPool(ServerPoolKey(PeerOf(*context_)));
      priority_ = PriorityIn(context_->client_metadata());
    }
    return pool_.lock();
  }

  grpc::ServerContextBase* const context_;
  bool looked_up_ = false;
  std::weak_ptr<BlockPool> pool_;
};

class ServerFactory final : public ServerInterceptorFactoryInterface {
 public:
  Interceptor* CreateServerInterceptor(ServerRpcInfo* info) override {
    if (!ShouldLook(predictor_, *info)) return nullptr;
    const MessageTypes* const types = FindMessageTypes(info->method());
    if (types == nullptr) return nullptr;
    return new ServerPlacement(*types->response, PredictorFor(predictor_, *info), info->method(),
                               info->server_context());
  }

 private:
  MessageSizePredictor predictor_;
};

}  // namespace

std::unique_ptr<ClientInterceptorFactoryInterface> MakeClientPlacement(std::string pool_key) {
  return std::make_unique<ClientFactory>(std::move(pool_key));
}

std::unique_ptr<ServerInterceptorFactoryInterface> MakeServerPlacement() {
  return std::make_unique<ServerFactory>();
}

}  // namespace grpc_cxl::internal
