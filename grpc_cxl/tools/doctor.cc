// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/tools/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "grpc_cxl/arena/arena.h"
#include "grpc_cxl/arena/available_memory.h"
#include "grpc_cxl/polling/usable_cores.h"
#include "grpc_cxl/rendezvous/network_namespace.h"
#include "grpc_cxl/rendezvous/own_trust.h"
#include "grpc_cxl/rendezvous/peer_trust.h"
#include "grpc_cxl/rendezvous/process_number.h"
#include "grpc_cxl/rendezvous/rendezvous_directory.h"
#include "grpc_cxl/rendezvous/user_namespace.h"
#include "grpc_cxl/tools/figures.h"
#include "grpc_cxl/tools/wake_up_cost.h"

namespace grpc_cxl::internal {
namespace {

using Kind = Finding::Kind;

// The first number of a file, or of the line that begins with `key`.
std::optional<int64_t> NumberIn(const std::string& path, absl::string_view key = "") {
  std::ifstream file(path);
  for (std::string word; file >> word;) {
    int64_t number;
    if (!key.empty() && word != key) continue;
    if (!key.empty() && !(file >> word)) break;
    return absl::SimpleAtoi(word, &number) ? std::optional(number) : std::nullopt;
  }
  return std::nullopt;
}

Finding Kernel() {
  utsname name{};
  uname(&name);
  return {Kind::kGood, "kernel", absl::StrCat(name.sysname, " ", name.release, ", ", name.machine)};
}

Finding Proc() {
  if (access("/proc/self/fd", X_OK) == 0) return {Kind::kGood, "/proc", "there"};
  return {Kind::kBroken, "/proc",
          "missing: sockets, users, namespaces and limits are looked up there; mount it in this "
          "container or chroot"};
}

Finding Memfd() {
  const ArenaBacking backing;
  const absl::StatusOr<Arena> arena = Arena::Create(1 << 20, backing, Reservation::kOnUse);
  if (!arena.ok()) return {Kind::kBroken, "memory", std::string(arena.status().message())};
  if (!Arena::CanReserveOnUse(backing)) {
    return {Kind::kSlower, "memory",
            "sealed memfds work, but this kernel cannot reserve their pages on use "
            "(MADV_POPULATE_WRITE, Linux 5.14): each connection takes all of its memory at once; "
            "choose smaller ServerOptions, or a newer kernel"};
  }
  return {Kind::kGood, "memory", "sealed memfds, whose pages are reserved on use"};
}

Finding Naps() {
  // Not a valid descriptor: only whether the kernel knows the call.
  const bool known =
      syscall(SYS_epoll_pwait2, -1, nullptr, 0, nullptr, nullptr, 0) == 0 || errno != ENOSYS;
  if (known) return {Kind::kGood, "epoll_pwait2", "there"};
  return {Kind::kSlower, "epoll_pwait2",
          "missing (Linux 5.11, or allow it in the seccomp filter): only connections without "
          "coherence or in regions nap for longer than they should"};
}

Finding Directory(const ChannelSettings& settings) {
  const auto directory = RendezvousDirectory::Find(settings.directory);
  if (!directory.ok()) {
    return {absl::IsNotFound(directory.status()) ? Kind::kSlower : Kind::kBroken, "directory",
            std::string(directory.status().message())};
  }
  struct statvfs system {};
  const std::string& path = directory->path();
  if (faccessat(directory->fd(), ".", W_OK | X_OK, AT_EACCESS) != 0) {
    return {Kind::kSlower, "directory",
            absl::StrCat(path, " cannot be written by uid ", geteuid(),
                         ": channels work, but a server cannot register its names; give the user "
                         "access, or set GRPC_CXL_DIR to another directory")};
  }
  if (statvfs(path.c_str(), &system) == 0 && (system.f_bavail == 0 || system.f_favail == 0)) {
    return {Kind::kBroken, "directory",
            absl::StrCat(path,
                         " is on a full file system: servers cannot register their names; "
                         "make space, or set GRPC_CXL_DIR to another directory")};
  }
  return {Kind::kGood, "directory", path};
}

Finding Trust() {
  const absl::StatusOr<PeerTrust> trust = OwnTrust();
  const std::string user = absl::StrCat("uid ", geteuid(), ", gid ", getegid());
  if (!trust.ok()) return {Kind::kBroken, "user", std::string(trust.status().message())};
  if (MayBeUnmapped(geteuid())) {
    return {Kind::kBroken, "user",
            absl::StrCat(user,
                         " has no number of its own in this user namespace: peers cannot "
                         "tell it from others; map it, or use GRPC_CXL_SECRET_FILE or "
                         "GRPC_CXL_TRUSTED_DIR")};
  }
  if (IsTrustedWithMemory(*trust)) {
    return {Kind::kGood, "user",
            absl::StrCat(user,
                         "; processes of this user in these namespaces read each other's "
                         "large messages in place")};
  }
  return {Kind::kSlower, "user",
          absl::StrCat(user,
                       "; namespaces cannot be compared, so large messages are copied: mount "
                       "the /proc of this pid namespace, or name the peers in trusted_uids")};
}

Finding Network() {
  if (NetworkNamespace::OfThread().has_value()) {
    return {Kind::kGood, "network addresses", "can go through memory"};
  }
  return {Kind::kSlower, "network addresses",
          "go over the network only, because /proc/thread-self/ns/net is missing: mount /proc"};
}

Finding ProcessNumbers() {
  const absl::StatusOr<uint64_t> number = OwnProcessNumber();
  if (number.ok() && *number > 0) return {Kind::kGood, "SO_PEERPIDFD", "there"};
  return {Kind::kSlower, "SO_PEERPIDFD",
          "missing (Linux 6.5): a process that dies while it connects may be taken for another "
          "one of this user; a newer kernel closes that gap"};
}

Finding Limit(const char* what, int resource, uint64_t enough, const char* advice) {
  rlimit limit{};
  getrlimit(resource, &limit);
  const bool good = limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= enough;
  return {good ? Kind::kGood : Kind::kSlower, what,
          absl::StrCat(limit.rlim_cur == RLIM_INFINITY ? "no limit" : absl::StrCat(limit.rlim_cur),
                       good ? "" : absl::StrCat(": ", advice))};
}

Finding Memory() {
  const int64_t available = AvailableMemory();
  if (available == std::numeric_limits<int64_t>::max()) {
    return {Kind::kSlower, "free memory",
            "cannot be told here (/proc/meminfo, control groups): arenas have no limit but "
            "max_total_arena_bytes"};
  }
  const std::string text =
      absl::StrCat(BytesText(static_cast<uint64_t>(std::max<int64_t>(available, 0))),
                   " are available to this process; the connections of a listening address may "
                   "take a quarter (max_total_arena_bytes)");
  if (available >= int64_t{256} << 20) return {Kind::kGood, "free memory", text};
  return {Kind::kSlower, "free memory",
          absl::StrCat(text,
                       ": new connections soon get small arenas, without direct calls; free "
                       "memory, or raise the control group's limit")};
}

Finding HugePages() {
  const int64_t free = NumberIn("/proc/meminfo", "HugePages_Free:").value_or(0);
  return {Kind::kGood, "huge pages",
          absl::StrCat(free,
                       " of 2 MiB are free; only the backing kMemfdHuge needs them (sysctl "
                       "vm.nr_hugepages)")};
}

Finding Watches() {
  const char* const path = "/proc/sys/fs/inotify/max_user_instances";
  const int64_t most = NumberIn(path).value_or(0);
  if (most >= 16) return {Kind::kGood, "inotify", absl::StrCat(most, " instances a user")};
  return {Kind::kSlower, "inotify",
          "few instances: servers look only each 5 s whether their files are still there; raise "
          "fs.inotify.max_user_instances"};
}

Finding WakeUp() {
  const int cores = UsableCores();
  const auto cost = static_cast<uint64_t>(std::max<int64_t>(MeasureWakeUp(), 1));
  const std::string text =
      absl::StrCat(TimeText(cost), " on this machine now; ", cores, " cores may be used");
  if (cores == 1) {
    return {Kind::kSlower, "wake-up",
            absl::StrCat(text, ": with one core nobody can spin while the peer works; allow two")};
  }
  if (cost > 30'000) {
    return {Kind::kSlower, "wake-up",
            absl::StrCat(text,
                         ": dear; calls that come seldom take that long twice. A larger "
                         "idle_spin or latency_weight buys it with CPU time; shallower "
                         "idle states of the processor (or a host that is less shared) "
                         "avoid it")};
  }
  return {Kind::kGood, "wake-up", text};
}

}  // namespace

std::vector<Finding> Examine(const ChannelSettings& settings) {
  return {Kernel(),
          Proc(),
          Memfd(),
          Naps(),
          ProcessNumbers(),
          Directory(settings),
          Trust(),
          Network(),
          Limit("open files", RLIMIT_NOFILE, 1024,
                "each connection takes one; raise the limit (ulimit -n)"),
          Limit("address space", RLIMIT_AS, uint64_t{4} << 30,
                "each connection takes 13 MiB by default; raise the limit (ulimit -v)"),
          Memory(),
          HugePages(),
          Watches(),
          WakeUp()};
}

std::string FindingsText(const std::vector<Finding>& findings) {
  std::string text;
  int slower = 0, broken = 0;
  for (const Finding& finding : findings) {
    slower += finding.kind == Kind::kSlower;
    broken += finding.kind == Kind::kBroken;
    const char* const mark = finding.kind == Kind::kGood     ? "good  "
                             : finding.kind == Kind::kSlower ? "lacks "
                                                             : "BROKEN";
    absl::StrAppendFormat(&text, "%s  %-17s  %s\n", mark, finding.what, finding.detail);
  }
  absl::StrAppend(&text,
                  broken > 0   ? "grpc_cxl does not work here"
                  : slower > 0 ? "grpc_cxl works here, with what is said above"
                               : "all is well",
                  "\n");
  return text;
}

}  // namespace grpc_cxl::internal
