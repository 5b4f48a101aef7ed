# SPDX-License-Identifier: Apache-2.0
# Included behind project(): halves the time of a build by parsing the common headers once.
cmake_language(DEFER CALL target_precompile_headers grpc_cxl PRIVATE
  <grpc/event_engine/event_engine.h> <grpcpp/grpcpp.h>
  <absl/functional/any_invocable.h> <absl/log/check.h> <absl/log/log.h> <absl/status/statusor.h>
  <absl/strings/str_cat.h> <absl/synchronization/mutex.h> <absl/time/clock.h>
  <memory> <optional> <string> <vector>)
