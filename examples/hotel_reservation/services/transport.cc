// SPDX-License-Identifier: Apache-2.0
#include "examples/hotel_reservation/services/transport.h"

#include "grpc_cxl/channel_credentials.h"
#include "grpc_cxl/direct_calls.h"
#include "grpc_cxl/server_credentials.h"

namespace hotel_reservation {

std::shared_ptr<grpc::ServerCredentials> ServerCredentials(const AddressBook& addresses,
                                                           size_t capacity) {
  grpc_cxl::ServerOptions options;
  options.capacity = capacity;
  return addresses.uses_memory() ? grpc_cxl::ServerCredentials(options)
                                 : grpc::InsecureServerCredentials();
}

absl::Status Started(const AddressBook& addresses, grpc::Server& server) {
  return addresses.uses_memory() ? grpc_cxl::EnableDirectCalls(server) : absl::OkStatus();
}

std::shared_ptr<grpc::Channel> MakeChannel(const AddressBook& addresses, absl::string_view service,
                                           grpc_cxl::Priority priority) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  // The time that an attempt may take, whatever its name says.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 20'000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 500);
  grpc_cxl::ChannelOptions options;
  options.priority = priority;
  return grpc::CreateCustomChannel(addresses.AddressOf(service),
                                   addresses.uses_memory() ? grpc_cxl::ChannelCredentials(options)
                                                           : grpc::InsecureChannelCredentials(),
                                   arguments);
}

}  // namespace hotel_reservation
