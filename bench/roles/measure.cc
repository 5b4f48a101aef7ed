// SPDX-License-Identifier: Apache-2.0
#include "bench/roles/measure.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <optional>
#include <random>
#include <thread>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "bench/probes/syscall_counter.h"
#include "bench/probes/usage.h"

namespace grpc_cxl::bench {
namespace {

using Clock = std::chrono::steady_clock;

double Seconds(Clock::duration time) { return std::chrono::duration<double>(time).count(); }

// When a caller has made enough calls.
struct Limit {
  std::optional<Clock::time_point> time;
  uint64_t calls = 0;  // of one caller, without `time`

  bool Reached(Clock::time_point now, uint64_t done) const {
    return time ? now >= *time : done >= calls;
  }
};

// The calls of one caller. Written by one thread at a time.
struct Record {
  std::vector<double> latencies_us;
  grpc::Status status;  // the first failure, which also ends the caller

  // False when the caller is to stop.
  bool Add(const grpc::Status& result, Clock::time_point start, Clock::time_point end,
           const Limit& limit) {
    status = result;
    if (!result.ok()) return false;
    latencies_us.push_back(Seconds(end - start) * 1e6);
    return !limit.Reached(end, latencies_us.size());
  }
};

// Waits for times that are as independent of each other as those of many users.
class Pace {
 public:
  explicit Pace(double per_second) : per_second_(per_second), next_(Clock::now()) {}

  // The next call starts now or later; returns when.
  Clock::time_point Next(Clock::time_point now) {
    if (per_second_ == 0) return now;  // one reading of the clock a call
    next_ += std::chrono::duration_cast<Clock::duration>(
        std::chrono::duration<double>(std::exponential_distribution<>(per_second_)(random_)));
    if (next_ <= now) return now;
    std::this_thread::sleep_until(next_);
    return Clock::now();
  }

 private:
  const double per_second_;
  Clock::time_point next_;
  std::minstd_rand random_;
};

void CallUntil(Caller& caller, double per_second, const Limit& limit, Record& record) {
  Pace pace(per_second);
  Clock::time_point start, end = Clock::now();
  grpc::Status status;
  do {
    start = pace.Next(end);
    status = caller.Call();
    end = Clock::now();
  } while (record.Add(status, start, end, limit));
}

void RunSync(const std::vector<std::unique_ptr<Caller>>& callers, double per_second,
             const Limit& limit, std::vector<Record>& records) {
  std::vector<std::thread> others;
  for (size_t i = 1; i < callers.size(); ++i) {
    others.emplace_back([&, i] { CallUntil(*callers[i], per_second, limit, records[i]); });
  }
  CallUntil(*callers[0], per_second, limit, records[0]);
  for (std::thread& thread : others) thread.join();
}

void RunCallback(const std::vector<std::unique_ptr<Caller>>& callers, const Limit& limit,
                 std::vector<Record>& records) {
  absl::BlockingCounter running(static_cast<int>(callers.size()));
  std::function<void(size_t)> start_call = [&](size_t i) {
    callers[i]->Start([&, i, start = Clock::now()](const grpc::Status& status) {
      if (records[i].Add(status, start, Clock::now(), limit)) {
        start_call(i);
      } else {
        running.DecrementCount();
      }
    });
  };
  for (size_t i = 0; i < callers.size(); ++i) start_call(i);
  running.Wait();
}

// Keeps the callers busy for `share` of a round.
std::vector<Record> Run(const std::vector<std::unique_ptr<Caller>>& callers, const Round& round,
                        double share) {
  Limit limit;
  if (round.calls() == 0) {
    limit.time = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                    std::chrono::duration<double>(round.seconds() * share));
  } else {
    limit.calls = std::ceil(round.calls() * share / callers.size());
  }
  std::vector<Record> records(callers.size());
  if (round.what().api() == "callback") {
    RunCallback(callers, limit, records);
  } else {
    RunSync(callers, round.what().per_second(), limit, records);
  }
  return records;
}

}  // namespace

double Quantile(std::vector<double>& values, double q) {
  if (values.empty()) return 0;
  const size_t rank = std::min<size_t>(values.size() * q, values.size() - 1);
  std::nth_element(values.begin(), values.begin() + rank, values.end());
  return values[rank];
}

absl::Status CallFailed(const grpc::Status& status) {
  return absl::AbortedError(absl::StrCat("a call failed with status ", status.error_code(), ": ",
                                         status.error_message()));
}

double Median(std::vector<double> values) { return Quantile(values, 0.5); }

absl::StatusOr<RoundResult> Measure(const std::vector<std::unique_ptr<Caller>>& callers,
                                    const Round& round, pid_t server_pid) {
  CHECK(!callers.empty());
  Run(callers, round, kWarmUpShare);

  std::vector<SyscallCounter> counters;
  if (round.count_syscalls()) {
    for (const pid_t pid : {getpid(), server_pid}) {
      absl::StatusOr<SyscallCounter> counter = SyscallCounter::Start(pid);
      if (!counter.ok()) return counter.status();
      counters.push_back(*std::move(counter));
    }
  }
  const Usage client_before = UsageOf(getpid()), server_before = UsageOf(server_pid);
  const Clock::time_point start = Clock::now();
  const std::vector<Record> records = Run(callers, round, 1);
  const double seconds = Seconds(Clock::now() - start);
  int64_t syscalls = 0;
  for (const SyscallCounter& counter : counters) syscalls += counter.Count();
  const Usage client = UsageOf(getpid()), server = UsageOf(server_pid);

  std::vector<double> latencies;
  for (const Record& record : records) {
    if (!record.status.ok()) return CallFailed(record.status);
    latencies.insert(latencies.end(), record.latencies_us.begin(), record.latencies_us.end());
  }
  const double calls = latencies.size();
  RoundResult result;
  result.set_calls(latencies.size());
  result.set_p50_us(Quantile(latencies, 0.5));
  result.set_p99_us(Quantile(latencies, 0.99));
  result.set_calls_per_s(calls / seconds);
  result.set_bytes_per_s(calls / seconds * callers[0]->RequestBytes());
  result.set_cpu_us_per_call(
      (client.cpu_ns - client_before.cpu_ns + server.cpu_ns - server_before.cpu_ns) / 1e3 / calls);
  result.set_page_faults_per_call((client.page_faults - client_before.page_faults +
                                   server.page_faults - server_before.page_faults) /
                                  calls);
  result.set_context_switches_per_call((client.context_switches - client_before.context_switches +
                                        server.context_switches - server_before.context_switches) /
                                       calls);
  if (round.count_syscalls()) result.set_syscalls_per_call(syscalls / calls);
  return result;
}

}  // namespace grpc_cxl::bench
