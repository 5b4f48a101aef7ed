// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/tools/exporter.h"

#include <unistd.h>

#include <exception>
#include <iostream>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "grpc_cxl/tools/host_status.h"
#include "grpc_cxl/tools/prometheus_metrics.h"
#include "prometheus/collectable.h"
#include "prometheus/exposer.h"

namespace grpc_cxl::internal {
namespace {

class Pages final : public prometheus::Collectable {
 public:
  explicit Pages(const DirectoryCandidates& candidates) : candidates_(candidates) {}

  std::vector<prometheus::MetricFamily> Collect() const override {
    // Anew each time: the directory may come and go.
    const auto directory = RendezvousDirectory::Find(candidates_);
    HostStatus host;
    if (directory.ok()) {
      host = ReadHostStatus(*directory);
    } else if (!absl::IsNotFound(directory.status())) {
      host.problems.emplace_back(directory.status().message());
    }
    return PrometheusMetrics(host);
  }

 private:
  const DirectoryCandidates candidates_;
};

}  // namespace

absl::Status ServeMetrics(const std::string& address, const DirectoryCandidates& directory) {
  const auto pages = std::make_shared<Pages>(directory);
  try {
    prometheus::Exposer exposer(address);
    exposer.RegisterCollectable(pages);
    std::cout << "Listening on http://" << address << "/metrics; Ctrl-C ends it." << std::endl;
    for (;;) pause();
  } catch (const std::exception& error) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", address, ": ", error.what(),
                                               "; choose another address (--listen)"));
  }
}

}  // namespace grpc_cxl::internal
