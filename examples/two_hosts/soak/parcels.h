// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_TWO_HOSTS_SOAK_PARCELS_H_
#define GRPC_CXL_EXAMPLES_TWO_HOSTS_SOAK_PARCELS_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "examples/two_hosts/soak/parcels.grpc.pb.h"
#include "examples/two_hosts/soak/path.h"

namespace soak {

class ParcelsService : public Parcels::CallbackService {
 private:
  grpc::ServerUnaryReactor* Exchange(grpc::CallbackServerContext* context, const Parcel* request,
                                     Parcel* reply) override;
};

// Where the parcels for machine `host` go.
std::string ParcelsAddress(int host);

// Sends parcels there and checks what comes back; directly or over HTTP/2.
Path::Call SendParcels(int host, bool direct);

}  // namespace soak

#endif  // GRPC_CXL_EXAMPLES_TWO_HOSTS_SOAK_PARCELS_H_
