// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_OPENTELEMETRY_FIGURES_H_
#define GRPC_CXL_OPENTELEMETRY_FIGURES_H_

#include <vector>

#include "opentelemetry/metrics/async_instruments.h"
#include "opentelemetry/metrics/meter.h"

namespace grpc_cxl::internal {

// The grpc.cxl.* metrics (opentelemetry.h): figures of the process that are counted anyway,
// whenever somebody asks for them.
class OpenTelemetryFigures {
 public:
  explicit OpenTelemetryFigures(opentelemetry::metrics::Meter& meter);

 private:
  using Instrument = opentelemetry::nostd::shared_ptr<opentelemetry::metrics::ObservableInstrument>;
  std::vector<Instrument> instruments_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_OPENTELEMETRY_FIGURES_H_
