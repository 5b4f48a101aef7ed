// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/tools/region_report.h"

#include <algorithm>
#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc_cxl/region/region_entries.h"

namespace grpc_cxl::internal {
namespace {

std::string Printable(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 32 || c > 126; }, '?');
  return text;
}

std::string StateName(AnswerState state) {
  switch (state) {
    case AnswerState::kReserved:
      return "reserved";
    case AnswerState::kOffered:
      return "open";
    case AnswerState::kRefused:
      return "refused";
    case AnswerState::kClosed:
      return "closed";
  }
  return absl::StrCat("state ", static_cast<uint32_t>(state));
}

class Reporter {
 public:
  explicit Reporter(const Region& region) : region_(region) {}

  std::string Run() {
    const auto before = Processes();
    absl::SleepFor(std::max(absl::Milliseconds(100), region_.lease() / 5));
    const auto after = Processes();
    for (const auto& [incarnation, record] : after) {
      const auto old = before.find(incarnation);
      alive_[incarnation] = old == before.end() || old->second.beat != record.beat;
    }
    absl::StrAppendFormat(&text_,
                          "%s: %d hosts with %d KiB each, in granules of %d bytes; lease %s\n",
                          region_.path(), region_.hosts(), region_.memory_per_host() >> 10,
                          region_.granule(), absl::FormatDuration(region_.lease()));
    for (uint32_t host = 0; host < region_.hosts(); ++host) {
      if (region_.Load(host, region_.control(host).words.opened) != 0) {
        Host(host);
      }
    }
    return text_;
  }

 private:
  using Key = std::pair<uint32_t, uint64_t>;

  std::map<Key, ProcessRecord> Processes() {
    std::map<Key, ProcessRecord> found;
    for (uint32_t host = 0; host < region_.hosts(); ++host) {
      for (uint32_t i = 0; i < kHostProcesses; ++i) {
        if (const auto process = ReadProcess(region_, host, i)) {
          found[{host, process->process.incarnation}] = *process;
          pids_[{host, process->process.incarnation}] = process->pid;
        }
      }
    }
    return found;
  }

  std::string Process(const ProcessRef& process) {
    const auto pid = pids_.find({process.host, process.incarnation});
    return pid == pids_.end() ? "a dead process" : absl::StrCat("pid ", pid->second);
  }

  void Host(uint32_t host) {
    absl::StrAppendFormat(&text_, "host %d\n", host);
    for (const auto& [key, alive] : alive_) {
      if (key.first != host) continue;
      absl::StrAppendFormat(&text_, "  process   pid %-8d %s\n", pids_[key],
                            alive ? "alive" : "silent");
    }
    for (uint32_t i = 0; i < kHostNames; ++i) {
      const auto name = ReadName(region_, host, i);
      if (!name.has_value()) continue;
      absl::StrAppendFormat(&text_, "  serves    %s (%s)\n", Printable(name->text),
                            Process(name->owner));
    }
    for (uint32_t i = 0; i < kHostRequests; ++i) {
      const auto request = ReadRequest(region_, host, i);
      if (!request.has_value()) continue;
      absl::StrAppendFormat(&text_, "  client    %s, to host %d, %s\n", Process(request->owner),
                            request->to_host,
                            request->state == RequestState::kOpen ? "open" : "closed");
    }
    uint64_t used = 0;
    for (uint32_t i = 0; i < kHostAnswers; ++i) {
      const auto answer = ReadAnswer(region_, host, i);
      if (!answer.has_value()) continue;
      used += answer->bytes;
      absl::StrAppendFormat(&text_, "  server    %s, to host %d, %s, %d KiB at %d\n",
                            Process(answer->owner), answer->to_host, StateName(answer->state),
                            answer->bytes >> 10, answer->offset);
    }
    absl::StrAppendFormat(&text_, "  memory    %d of %d KiB in use\n", used >> 10,
                          region_.memory_per_host() >> 10);
  }

  const Region& region_;
  std::string text_;
  std::map<Key, bool> alive_;
  std::map<Key, uint32_t> pids_;
};

}  // namespace

std::string RegionReport(const std::shared_ptr<const Region>& region) {
  return Reporter(*region).Run();
}

}  // namespace grpc_cxl::internal
