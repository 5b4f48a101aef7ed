// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/environment.h"

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "grpc_cxl/coherence/memory_model.h"
#include "grpc_cxl/rendezvous/host_name.h"
#include "grpc_cxl/rendezvous/name_files.h"

namespace grpc_cxl::internal {
namespace {

// A later chdir() changes nothing.
std::string Absolute(const std::string& path) {
  std::error_code failed;
  const std::string absolute = path.empty() ? "" : std::filesystem::absolute(path, failed).string();
  return failed ? path : absolute;
}

std::string Get(const char* variable) {
  const char* const value = std::getenv(variable);
  return value == nullptr ? "" : value;
}

absl::Status In(const char* variable, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(variable, ": ", status.message()));
}

absl::StatusOr<bool> Flag(absl::string_view variable, const std::string& text,
                          bool otherwise = false) {
  if (text.empty()) return otherwise;
  if (text == "0") return false;
  if (text == "1") return true;
  return absl::InvalidArgumentError(
      absl::StrCat(variable, " is \"", text, "\", but must be 0 or 1"));
}

absl::StatusOr<bool> MayStream(const Environment& environment) {
  return Flag("GRPC_CXL_DIRECT_STREAMS", environment.direct_streams, /*otherwise=*/true);
}

absl::Status ApplySpin(const std::string& text, EndpointSettings* settings) {
  if (text.empty()) return absl::OkStatus();
  int64_t microseconds;
  if (!absl::SimpleAtoi(text, &microseconds) || microseconds < 0 || microseconds > 1'000'000) {
    return absl::InvalidArgumentError(
        absl::StrCat("GRPC_CXL_SPIN_US is \"", text,
                     "\", but must be a whole number of microseconds from 0 (sleep at once) to "
                     "1000000; unset it for the default"));
  }
  settings->max_spin = absl::Microseconds(microseconds);
  if (microseconds == 0) {
    settings->wait_policy = WaitPolicy::kPark;
  } else if (settings->wait_policy == WaitPolicy::kPark) {
    settings->wait_policy = WaitPolicy::kAdaptive;
  }
  return absl::OkStatus();
}

absl::Status ApplyDistance(const Environment& environment, MemoryDistance* distance) {
  if (!environment.preset.empty()) {
    const absl::StatusOr<MemoryDistance> preset = DistancePreset(environment.preset);
    if (!preset.ok()) return In("GRPC_CXL_PRESET", preset.status());
    *distance = *preset;
  }
  const absl::StatusOr<MemoryDistance> parsed = ParseDistance(environment.memory, *distance);
  if (!parsed.ok()) return In("GRPC_CXL_MEMORY", parsed.status());
  *distance = *parsed;
  return absl::OkStatus();
}

// Adds the numbers of a list such as "1000,1001".
absl::Status AddIds(absl::string_view variable, const std::string& list, absl::string_view kind,
                    std::vector<uint32_t>* ids) {
  if (list.empty()) return absl::OkStatus();
  for (const absl::string_view text : absl::StrSplit(list, ',')) {
    uint32_t id;
    if (!absl::SimpleAtoi(text, &id) || id == static_cast<uint32_t>(-1)) {
      return absl::InvalidArgumentError(absl::StrCat(variable, " is \"", list,
                                                     "\", but must be numbers of ", kind,
                                                     " with commas between them, as 1000,1001"));
    }
    ids->push_back(id);
  }
  return absl::OkStatus();
}

// Adds the hosts of a list such as "payments:50051,payments.prod.svc:50051".
absl::Status AddHosts(const std::string& list, std::vector<std::string>* hosts) {
  for (const absl::string_view host : absl::StrSplit(list, ',', absl::SkipEmpty())) {
    if (const auto name = NameOfHost(host); !name.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("GRPC_CXL_ALSO_KNOWN_AS is \"", list,
                                                     "\", in which ", name.status().message()));
    }
    hosts->emplace_back(host);
  }
  return absl::OkStatus();
}

absl::Status ResolveUsers(const Environment& environment, const EndpointOptions& options,
                          EndpointSettings* settings) {
  TrustedUsers& users = settings->users;
  users.allowed_uids = options.allowed_uids;
  users.trusted_uids = options.trusted_uids;
  users.allowed_gids = options.allowed_gids;
  if (absl::Status status =
          AddIds("GRPC_CXL_ALLOWED_UIDS", environment.allowed_uids, "users", &users.allowed_uids);
      !status.ok()) {
    return status;
  }
  if (absl::Status status = AddIds("GRPC_CXL_ALLOWED_GROUPS", environment.allowed_groups, "groups",
                                   &users.allowed_gids);
      !status.ok()) {
    return status;
  }
  users.everybody = !settings->directory.trusted.empty() && users.allowed_uids.empty() &&
                    users.allowed_gids.empty();
  const std::string& file =
      options.secret_file.empty() ? environment.secret_file : options.secret_file;
  if (file.empty()) return absl::OkStatus();
  if (settings->region.has_value()) {
    return absl::InvalidArgumentError(
        "there are no shared secrets in a region, whose memory all of its processes can write; "
        "unset secret_file and GRPC_CXL_SECRET_FILE, or GRPC_CXL_REGION");
  }
  absl::StatusOr<SharedSecret> secret = SharedSecret::Read(file);
  if (!secret.ok()) return secret.status();
  users.secret = *std::move(secret);
  return absl::OkStatus();
}

// Applies the options and variables that channels and servers share.
absl::Status Resolve(const Environment& environment, const EndpointOptions& options,
                     EndpointSettings* settings) {
  settings->directory = environment.Directory(options.rendezvous_directory);
  settings->directory.trusted = Absolute(options.trusted_directory);
  if (options.trusted_directory.empty() && options.rendezvous_directory.empty()) {
    settings->directory.trusted = Absolute(environment.trusted_directory);
  }
  settings->directory.rollout = options.rollout.empty() ? environment.rollout : options.rollout;
  if (!settings->directory.rollout.empty() && !IsRollout(settings->directory.rollout)) {
    return absl::InvalidArgumentError(
        absl::StrCat("GRPC_CXL_ROLLOUT is \"", environment.rollout, "\", but must have 1 to ",
                     kMaxRolloutLength, " characters of A-Z a-z 0-9 . _ -; shorten a hash"));
  }
  settings->wait_policy = options.wait_policy;
  settings->max_spin = options.max_spin;
  settings->latency_weight = options.latency_weight;
  settings->idle_spin = options.idle_spin;
  settings->distance = options.distance;
  settings->status_page = options.status_page;
  if (absl::Status status = environment.Apply(settings); !status.ok()) return status;
  // Not theirs, but credentials are where errors show.
  if (const auto threads = environment.PollingThreads(0); !threads.ok()) return threads.status();
  absl::StatusOr<std::optional<RegionOptions>> region = environment.Region();
  if (!region.ok()) return region.status();
  settings->region = *std::move(region);
  return ResolveUsers(environment, options, settings);
}

}  // namespace

Environment Environment::Read() {
  return {
      .directory = Get("GRPC_CXL_DIR"),
      .trusted_directory = Get("GRPC_CXL_TRUSTED_DIR"),
      .runtime_directory = Get("XDG_RUNTIME_DIR"),
      .temporary_directory = Get("TMPDIR"),
      .allowed_uids = Get("GRPC_CXL_ALLOWED_UIDS"),
      .allowed_groups = Get("GRPC_CXL_ALLOWED_GROUPS"),
      .secret_file = Get("GRPC_CXL_SECRET_FILE"),
      .also_known_as = Get("GRPC_CXL_ALSO_KNOWN_AS"),
      .take_over = Get("GRPC_CXL_TAKE_OVER"),
      .inline_calls = Get("GRPC_CXL_INLINE_CALLS"),
      .direct_streams = Get("GRPC_CXL_DIRECT_STREAMS"),
      .rollout = Get("GRPC_CXL_ROLLOUT"),
      .spin_us = Get("GRPC_CXL_SPIN_US"),
      .coherence = Get("GRPC_CXL_COHERENCE"),
      .preset = Get("GRPC_CXL_PRESET"),
      .memory = Get("GRPC_CXL_MEMORY"),
      .check_flushes = Get("GRPC_CXL_CHECK_FLUSHES"),
      .region = Get("GRPC_CXL_REGION"),
      .host = Get("GRPC_CXL_HOST"),
      .region_bytes = Get("GRPC_CXL_REGION_BYTES"),
      .polling_threads = Get("GRPC_CXL_POLLING_THREADS"),
      .status = Get("GRPC_CXL_STATUS"),
      .log = Get("GRPC_CXL_LOG"),
  };
}

DirectoryCandidates Environment::Directory(const std::string& configured) const {
  return {.configured = Absolute(configured),
          .variable = Absolute(directory),
          .runtime = runtime_directory,
          .temporary = Absolute(temporary_directory)};
}

absl::Status Environment::Apply(EndpointSettings* settings) const {
  if (absl::Status status = ApplySpin(spin_us, settings); !status.ok()) return status;
  const absl::StatusOr<bool> checks = Flag("GRPC_CXL_CHECK_FLUSHES", check_flushes);
  if (!checks.ok()) return checks.status();
  settings->check_flushes = *checks;
  if (!status.empty() && status != "on" && status != "off") {
    return absl::InvalidArgumentError(
        absl::StrCat("GRPC_CXL_STATUS is \"", status, "\", but must be on or off"));
  }
  if (!status.empty()) settings->status_page = status == "on";
  if (!log.empty() && log != "debug") {
    return absl::InvalidArgumentError(
        absl::StrCat("GRPC_CXL_LOG is \"", log, "\", but must be debug, or unset"));
  }
  settings->log_connections = log == "debug";
  return ApplyDistance(*this, &settings->distance);
}

absl::StatusOr<Coherence> Environment::Apply(Coherence otherwise) const {
  if (coherence.empty()) return otherwise;
  if (coherence == "flush") return Coherence::kFlush;
  if (coherence == "coherent") return Coherence::kCoherent;
  return absl::InvalidArgumentError(
      absl::StrCat("GRPC_CXL_COHERENCE is \"", coherence,
                   "\", but must be coherent or flush; unset it for what the options say"));
}

absl::StatusOr<std::optional<RegionOptions>> Environment::Region() const {
  if (region.empty()) return std::nullopt;
  RegionOptions options;
  options.path = region;
  if (!absl::SimpleAtoi(host, &options.host)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "GRPC_CXL_HOST is \"", host, "\"; it must be this host's number in the region: 0, 1, ..."));
  }
  if (!region_bytes.empty() && !absl::SimpleAtoi(region_bytes, &options.bytes)) {
    return absl::InvalidArgumentError(absl::StrCat("GRPC_CXL_REGION_BYTES is \"", region_bytes,
                                                   "\"; it must be a number of bytes"));
  }
  EndpointSettings settings;
  if (absl::Status status = Apply(&settings); !status.ok()) return status;
  const absl::StatusOr<Coherence> chosen = Apply(Coherence::kFlush);
  if (!chosen.ok()) return chosen.status();
  absl::StatusOr<MemoryModel> model =
      MakeMemoryModel(*chosen, settings.distance, settings.check_flushes);
  if (!model.ok()) return model.status();
  options.model = *model;
  return options;
}

absl::StatusOr<int> Environment::PollingThreads(int otherwise) const {
  if (polling_threads.empty()) return otherwise;
  int count;
  if (absl::SimpleAtoi(polling_threads, &count) && count >= 1 && count <= kMostPollingThreads) {
    return count;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "GRPC_CXL_POLLING_THREADS is \"", polling_threads, "\", but must be a number from 1 to ",
      kMostPollingThreads, "; unset it for one thread for every two cores"));
}

absl::StatusOr<ChannelSettings> ResolveOptions(const ChannelOptions& options) {
  if (absl::Status status = Validate(options); !status.ok()) return status;
  const Environment environment = Environment::Read();
  ChannelSettings settings;
  if (absl::Status status = Resolve(environment, options, &settings); !status.ok()) return status;
  const absl::StatusOr<bool> runs_inline = Flag("GRPC_CXL_INLINE_CALLS", environment.inline_calls);
  if (!runs_inline.ok()) return runs_inline.status();
  settings.inline_calls = options.inline_calls || *runs_inline;
  settings.direct_calls = options.direct_calls;
  const absl::StatusOr<bool> streams = MayStream(environment);
  if (!streams.ok()) return streams.status();
  settings.direct_streams = options.direct_calls && options.direct_streams && *streams;
  settings.priority = options.priority;
  settings.max_arena_bytes = options.max_arena_bytes;
  settings.max_waiting_calls = options.max_waiting_calls;
  return settings;
}

absl::StatusOr<ServerSettings> ResolveOptions(const ServerOptions& options) {
  if (absl::Status status = Validate(options); !status.ok()) return status;
  const Environment environment = Environment::Read();
  ServerSettings settings;
  if (absl::Status status = Resolve(environment, options, &settings); !status.ok()) return status;
  const absl::StatusOr<Coherence> coherence = environment.Apply(options.coherence);
  if (!coherence.ok()) return coherence.status();
  settings.coherence = *coherence;
  settings.direct_calls = options.direct_calls;
  const absl::StatusOr<bool> streams = MayStream(environment);
  if (!streams.ok()) return streams.status();
  settings.direct_streams = options.direct_calls && options.direct_streams && *streams;
  settings.also_known_as = options.also_known_as;
  const absl::StatusOr<bool> take_over = Flag("GRPC_CXL_TAKE_OVER", environment.take_over);
  if (!take_over.ok()) return take_over.status();
  settings.take_over = options.take_over || *take_over;
  settings.replicas = options.replicas;
  if (settings.replicas && settings.region.has_value()) {
    return absl::InvalidArgumentError(
        "a name of a region has one server on a host; unset ServerOptions::replicas or "
        "GRPC_CXL_REGION");
  }
  if (absl::Status status = AddHosts(environment.also_known_as, &settings.process_known_as);
      !status.ok()) {
    return status;
  }
  settings.ring_bytes = options.ring_bytes;
  settings.payload_bytes = options.payload_bytes;
  settings.arena_bytes = options.arena_bytes;
  settings.call_buffer_bytes = options.call_buffer_bytes;
  settings.max_connections = options.max_connections;
  settings.max_total_arena_bytes = options.max_total_arena_bytes;
  settings.capacity = options.capacity;
  settings.adaptive_capacity = options.adaptive_capacity;
  settings.backing = options.backing;
  return settings;
}

}  // namespace grpc_cxl::internal
