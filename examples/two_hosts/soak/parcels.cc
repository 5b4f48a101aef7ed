// SPDX-License-Identifier: Apache-2.0
#include "examples/two_hosts/soak/parcels.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "examples/two_hosts/soak/parcel_content.h"
#include "grpc_cxl/channel_credentials.h"

namespace soak {
namespace {

// Says what is wrong with a parcel, if anything is.
bool IsRight(const Parcel& parcel, const std::string& id, Direction direction) {
  const std::string expected = ParcelContent(id, direction);
  const std::string& content = parcel.content();
  if (parcel.id() == id && content == expected) return true;
  const size_t at = static_cast<size_t>(
      std::mismatch(content.begin(), content.end(), expected.begin(), expected.end()).first -
      content.begin());
  Wrong(absl::StrCat("foreign bytes: parcel ", absl::CHexEscape(parcel.id().substr(0, 100)),
                     direction == Direction::kThere ? ", a request" : ", a response", " for ", id,
                     ", has ", content.size(), " bytes of ", expected.size(),
                     " and differs from byte ", at,
                     " on: ", absl::BytesToHexString(content.substr(at, 32))));
  return false;
}

}  // namespace

grpc::ServerUnaryReactor* ParcelsService::Exchange(grpc::CallbackServerContext* context,
                                                   const Parcel* request, Parcel* reply) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  const auto id = context->client_metadata().find("x-request-id");
  const std::string sent_id = id == context->client_metadata().end()
                                  ? "none"
                                  : std::string(id->second.data(), id->second.size());
  if (!IsRight(*request, sent_id, Direction::kThere)) {
    reactor->Finish(grpc::Status(grpc::StatusCode::DATA_LOSS, "the parcel is not what was sent"));
    return reactor;
  }
  reply->set_id(sent_id);
  reply->set_content(ParcelContent(sent_id, Direction::kBack));
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

std::string ParcelsAddress(int host) { return absl::StrCat("cxl:///parcels-", host); }

Path::Call SendParcels(int host, bool direct) {
  grpc_cxl::ChannelOptions options;
  options.direct_calls = direct;
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 20'000);  // the time for an attempt
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 500);
  const std::shared_ptr<Parcels::Stub> stub = Parcels::NewStub(grpc::CreateCustomChannel(
      ParcelsAddress(host), grpc_cxl::ChannelCredentials(options), arguments));
  return [stub](grpc::ClientContext& context, const std::string& id) {
    Parcel parcel, answer;
    parcel.set_id(id);
    parcel.set_content(ParcelContent(id, Direction::kThere));
    const grpc::Status status = stub->Exchange(&context, parcel, &answer);
    if (status.ok()) IsRight(answer, id, Direction::kBack);
    return status;
  };
}

}  // namespace soak
