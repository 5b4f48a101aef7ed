// SPDX-License-Identifier: Apache-2.0
#include "examples/hotel_reservation/launcher/cluster.h"

#include <signal.h>

#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "examples/hotel_reservation/launcher/health.h"

namespace hotel_reservation {
namespace {

constexpr absl::Duration kStartTimeout = absl::Seconds(20);

}  // namespace

absl::StatusOr<std::unique_ptr<Cluster>> Cluster::Start(const ClusterOptions& options) {
  std::optional<ReservedPorts> ports;
  std::string base;
  if (options.transport == "unix" && !options.default_addresses) base = options.directory;
  if ((options.transport == "tcp" || options.transport == "auto") && !options.default_addresses) {
    absl::StatusOr<ReservedPorts> taken = ReservedPorts::Take(std::size(kServices));
    if (!taken.ok()) return taken.status();
    base = absl::StrCat(taken->first());
    ports.emplace(*std::move(taken));
  }
  // Beside other clusters, in the same directory.
  if (options.transport == "cxl" && !options.default_addresses) {
    if (options.together) base = "hotel1";
    if (options.beside) base = absl::StrCat(options.together ? "hotel1" : "hotel", "-beside");
  }
  absl::StatusOr<AddressBook> addresses = AddressBook::Make(options.transport, base);
  if (!addresses.ok()) return addresses.status();

  std::unique_ptr<Cluster> cluster(new Cluster(options, *std::move(addresses), std::move(ports)));
  if (options.default_addresses) {
    if (absl::Status free = cluster->CheckNobodyServes(); !free.ok()) return free;
  }
  for (const absl::string_view name : kServices) {
    const std::string program = cluster->ProgramOf(name);
    if (cluster->services_.contains(program)) continue;
    if (absl::Status started = cluster->StartProcess(program); !started.ok()) return started;
  }
  if (absl::Status healthy = cluster->AwaitHealthy(); !healthy.ok()) return healthy;
  return cluster;
}

Cluster::~Cluster() {
  // Ends all at the same time; each destructor then waits for its process.
  for (const auto& [name, process] : services_) process->Signal(SIGTERM);
}

std::vector<std::string> Cluster::AddressFlags() const {
  return {absl::StrCat("--transport=", addresses_.transport()),
          absl::StrCat("--base=", addresses_.base())};
}

absl::StatusOr<std::unique_ptr<Process>> Cluster::StartProgram(const std::string& name,
                                                               std::vector<std::string> flags) {
  return Process::Start(name, absl::StrCat(options_.programs, "/", name), flags,
                        absl::StrCat(options_.directory, "/", name, ".log"));
}

// Two servers can share a TCP port (SO_REUSEPORT), and gRPC takes the socket of a unix path away.
absl::Status Cluster::CheckNobodyServes() const {
  if (!HealthProbe(addresses_, kServices[0]).Serving(absl::Milliseconds(200))) {
    return absl::OkStatus();
  }
  return absl::AlreadyExistsError(
      absl::StrCat("Another ", kServices[0], " serves there already, at ",
                   addresses_.AddressOf(kServices[0]), ": end it first."));
}

std::string Cluster::label() const {
  return absl::StrCat(options_.transport, options_.together ? "/1" : "");
}

std::string Cluster::ProgramOf(absl::string_view service) const {
  return options_.together ? "together" : std::string(service);
}

absl::Status Cluster::StartProcess(const std::string& program) {
  std::vector<std::string> flags = AddressFlags();
  flags.push_back(absl::StrCat("--db=", options_.database.empty()
                                            ? absl::StrCat(options_.directory, "/hotels.db")
                                            : options_.database));
  flags.push_back(absl::StrCat("--capacity=", options_.capacity));
  if (program == ProgramOf("frontend")) flags.push_back(absl::StrCat("--http=", options_.http));
  absl::StatusOr<std::unique_ptr<Process>> process = StartProgram(program, std::move(flags));
  if (!process.ok()) return process.status();
  services_[program] = *std::move(process);
  return absl::OkStatus();
}

absl::Status Cluster::KillAndRestart(absl::string_view name) {
  Process& victim = service(name);
  victim.Signal(SIGKILL);
  victim.Ended(absl::InfiniteDuration());
  return StartProcess(ProgramOf(name));
}

absl::StatusOr<bool> Cluster::Watch(Process* other, absl::Duration timeout) {
  std::vector<Process*> processes;
  for (const auto& [name, process] : services_) processes.push_back(process.get());
  if (other != nullptr) processes.push_back(other);
  const absl::StatusOr<Process*> ended = FirstToEnd(processes, timeout);
  if (!ended.ok()) return ended.status();
  if (*ended == nullptr) return false;
  if (*ended == other) return true;
  const absl::Status how = (*ended)->HowItEnded();
  return absl::UnavailableError(
      absl::StrCat("A service ended on ", label(), ": ",
                   how.ok() ? absl::StrCat((*ended)->name(), " has ended by itself.")
                            : std::string(how.message())));
}

absl::Status Cluster::AwaitHealthy() {
  const absl::Time deadline = absl::Now() + kStartTimeout;
  for (const absl::string_view name : kServices) {
    HealthProbe probe(addresses_, name);
    while (!probe.Serving(absl::Milliseconds(200))) {
      const absl::StatusOr<bool> watched = Watch(nullptr, absl::Milliseconds(5));
      if (!watched.ok()) return watched.status();
      if (absl::Now() > deadline) {
        return absl::DeadlineExceededError(absl::StrCat(name, " is not healthy after ",
                                                        absl::FormatDuration(kStartTimeout),
                                                        ". It printed:\n", service(name).Output()));
      }
    }
  }
  return absl::OkStatus();
}

absl::Duration Cluster::CpuTime() const {
  absl::Duration sum;
  for (const auto& [name, process] : services_) sum += process->CpuTime();
  return sum;
}

absl::Status Cluster::AwaitIdle() {
  constexpr absl::Duration kInterval = absl::Milliseconds(20);
  const absl::Time deadline = absl::Now() + absl::Seconds(2);
  absl::Duration before = CpuTime();
  while (true) {
    const absl::StatusOr<bool> watched = Watch(nullptr, kInterval);
    if (!watched.ok()) return watched.status();
    const absl::Duration now = CpuTime();
    if (now - before < kInterval / 10 || absl::Now() > deadline) return absl::OkStatus();
    before = now;
  }
}

}  // namespace hotel_reservation
