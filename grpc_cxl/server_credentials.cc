// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/server_credentials.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

#include <optional>
#include <string>
#include <typeinfo>
#include <utility>

#include "absl/base/no_destructor.h"
#include "absl/log/log.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "grpc_cxl/engine.h"
#include "grpc_cxl/environment.h"
#include "grpc_cxl/event_engine/acceptor_registry.h"
#include "grpc_cxl/event_engine/default_engine.h"
#include "grpc_cxl/event_engine/settings_registry.h"
#include "grpc_cxl/rendezvous/service_name.h"

namespace grpc_cxl {
namespace {

using internal::ListenContext;
using internal::ServerSettings;
using internal::ServiceName;
using internal::SettingsRegistry;

// gRPC has no other way to tell.
bool IsInsecure(const grpc::ServerCredentials& credentials) {
  static const absl::NoDestructor<std::shared_ptr<grpc::ServerCredentials>> insecure(
      grpc::InsecureServerCredentials());
  const grpc::ServerCredentials& example = **insecure;
  return typeid(credentials) == typeid(example);
}

// TLS and its like, but not those of xDS, whose rules match clients by IP addresses.
bool IsSecure(const grpc::ServerCredentials& credentials) {
  static const absl::NoDestructor<std::shared_ptr<grpc::ServerCredentials>> secure(
      grpc::experimental::LocalServerCredentials(LOCAL_TCP));
  const grpc::ServerCredentials& example = **secure;
  return typeid(credentials) == typeid(example);
}

class CxlServerCredentials final : public grpc::ServerCredentials,
                                   public internal::HasServerSettings {
 public:
  CxlServerCredentials(absl::StatusOr<ServerSettings> settings,
                       std::shared_ptr<grpc::ServerCredentials> inner)
      : grpc::ServerCredentials(grpc_insecure_server_credentials_create()),
        settings_(std::move(settings)),
        insecure_(inner == nullptr || IsInsecure(*inner)),
        registers_(insecure_ || IsSecure(*inner)),
        inner_(inner == nullptr ? grpc::InsecureServerCredentials() : std::move(inner)) {}

  void SetAuthMetadataProcessor(
      const std::shared_ptr<grpc::AuthMetadataProcessor>& processor) override {
    inner_->SetAuthMetadataProcessor(processor);
  }

  const ServerSettings* server_settings() const override {
    return settings_.ok() ? &*settings_ : nullptr;
  }

 private:
  // Gives the C credentials of any server credentials: a protected member of the base, which
  // a derived class may name for its own kind.
  struct Access : grpc::ServerCredentials {
    static grpc_server_credentials* Of(const grpc::ServerCredentials& credentials) {
      return (credentials.*&Access::c_creds)();
    }
  };

  int AddPortToServer(const std::string& address, grpc_server* server) override {
    const int context = RegisterContext(server);
    if (!ServiceName::IsTarget(address)) return AddNetworkPort(address, server, context);
    const std::string where = absl::StrCat(address, "?options=", context);
    const internal::CxlListening listening(std::nullopt);
    return grpc_server_add_http2_port(server, where.c_str(), Access::Of(*inner_));
  }

  int AddNetworkPort(const std::string& address, grpc_server* server, int context) const {
    if (!settings_.ok()) {
      LOG(ERROR) << "cannot listen on " << address << ": " << settings_.status().message();
      return 0;
    }
    std::optional<internal::CxlListening> listening;
    // Acceptors of connections from elsewhere need all of gRPC's engine; a region has names only.
    if (registers_ && !absl::StartsWith(address, "external:") && !settings_->region.has_value()) {
      listening.emplace(context);
    }
    return grpc_server_add_http2_port(server, address.c_str(), Access::Of(*inner_));
  }

  int RegisterContext(const grpc_server* server) const {
    if (!settings_.ok()) return SettingsRegistry<ListenContext>::Register(settings_.status());
    return SettingsRegistry<ListenContext>::Register(
        ListenContext{*settings_, server, insecure_, insecure_ && settings_->direct_calls});
  }

  const absl::StatusOr<ServerSettings> settings_;
  const bool insecure_;
  const bool registers_;  // network addresses, for the clients of this host
  const std::shared_ptr<grpc::ServerCredentials> inner_;
};

}  // namespace

std::shared_ptr<grpc::ServerCredentials> ServerCredentials(
    const ServerOptions& options, std::shared_ptr<grpc::ServerCredentials> inner) {
  MakeEngineDefault();
  return std::make_shared<CxlServerCredentials>(internal::ResolveOptions(options),
                                                std::move(inner));
}

}  // namespace grpc_cxl
