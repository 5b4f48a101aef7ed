// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/status_snapshot.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "grpc_cxl/base/layout_version.h"
#include "grpc_cxl/blocks/copy_counters.h"
#include "grpc_cxl/direct/call_counters.h"
#include "grpc_cxl/direct/grpc_version.h"
#include "grpc_cxl/event_engine/path_counters.h"
#include "grpc_cxl/event_engine/status_table.h"

namespace grpc_cxl::internal {
namespace {

std::string ReadFile(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// When the process began, since 1970; 0 if /proc does not tell.
uint64_t StartTime() {
  const std::string stat = ReadFile("/proc/self/stat");
  // After the command, which may have any characters, comes field 3.
  const std::vector<absl::string_view> fields =
      absl::StrSplit(absl::string_view(stat).substr(std::min(stat.rfind(") "), stat.size())), ' ');
  constexpr size_t kStartTime = 22 - 2;
  uint64_t ticks;
  if (fields.size() <= kStartTime || !absl::SimpleAtoi(fields[kStartTime], &ticks)) return 0;
  timespec since_boot;
  clock_gettime(CLOCK_BOOTTIME, &since_boot);
  const int64_t age_ns = since_boot.tv_sec * int64_t{1'000'000'000} + since_boot.tv_nsec -
                         static_cast<int64_t>(ticks) * (1'000'000'000 / sysconf(_SC_CLK_TCK));
  return static_cast<uint64_t>(absl::GetCurrentTimeNanos() - age_ns);
}

// What does not change. A forked child has its parent's, but no page.
const StatusProcess& Identity() {
  static const StatusProcess identity = [] {
    StatusProcess process{};
    process.pid = static_cast<uint32_t>(getpid());
    process.layout_version = kLayoutVersion;
    process.start_time = StartTime();
    const std::string command = ReadFile("/proc/self/comm");
    SetText(process.command, absl::string_view(command).substr(0, command.find('\n')));
    SetText(process.grpc_version, GrpcVersion());
    return process;
  }();
  return identity;
}

void FillCounters(StatusProcess* process) {
  const CallCounters& calls = CallCounters::OfProcess();
  process->direct = calls.direct;
  process->not_taken = calls.not_taken;
  process->no_connection = calls.no_connection;
  process->not_eligible = calls.not_eligible;
  process->too_large = calls.too_large;
  process->no_slot = calls.no_slot;
  process->excluded_channel = calls.excluded_channel;
  process->global_interceptor = calls.global_interceptor;
  process->no_descriptor = calls.no_descriptor;
  process->one_way = calls.one_way;
  process->one_way_background = calls.one_way_background;
  process->one_way_failed = calls.one_way_failed;
  process->served = ServedCounters::OfProcess().taken;
  process->refused = ServedCounters::OfProcess().refused;
  process->direct_streams = calls.direct_streams;
  process->http2_streams = calls.http2_streams;
  process->served_streams = ServedCounters::OfProcess().streams;
  const PathCounters& paths = PathCounters::OfProcess();
  process->memory_connections = paths.memory;
  process->network_connections = paths.network;
  process->declined_connections = paths.declined;
  process->moved_connections = paths.moved;
  const CopyCounters& copies = CopyCounters::OfProcess();
  process->sent_in_place = copies.sent_in_place;
  process->sent_by_block = copies.sent_by_block;
  process->sent_by_ring = copies.sent_by_ring;
  process->received_in_place = copies.received_in_place;
  process->received_from_block = copies.received_from_block;
  process->received_from_ring = copies.received_from_ring;
  process->sent_for_want_of_blocks = copies.sent_for_want_of_blocks;
  // Of each, a decrease may be seen before its increase.
  process->loans_out = static_cast<uint64_t>(std::max<int64_t>(copies.loans_out, 0));
  process->loans_held = static_cast<uint64_t>(std::max<int64_t>(copies.loans_held, 0));
}

}  // namespace

StatusPage TakeStatusSnapshot() {
  StatusPage page;
  page.process = Identity();
  FillCounters(&page.process);
  StatusTable::OfProcess().Fill(&page);
  page.process.written_time = static_cast<uint64_t>(absl::GetCurrentTimeNanos());
  return page;
}

}  // namespace grpc_cxl::internal
