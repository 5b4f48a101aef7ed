// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_REGION_REGION_ENTRIES_H_
#define GRPC_CXL_REGION_REGION_ENTRIES_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "grpc_cxl/region/region.h"
#include "grpc_cxl/region/region_layout.h"

// Entries of the tables of region_layout.h, as values. Reading an entry gives nothing when it is
// not in use, or changes meanwhile. A record was true at one moment; its fields are nonsense when
// the other host writes nonsense. Thread-safe.
namespace grpc_cxl::internal {

struct ProcessRef {
  uint32_t host = 0;
  uint32_t index = 0;
  uint64_t incarnation = 0;

  friend bool operator==(const ProcessRef&, const ProcessRef&) = default;
};

struct ProcessRecord {
  ProcessRef process{};
  uint64_t beat = 0;
  uint32_t pid = 0;
  uint32_t uid = 0;
  uint64_t nonce = 0;
  Region::Node node{};
};
// REQUIRES, here and below: a host of the region and an index of the table.
std::optional<ProcessRecord> ReadProcess(const Region& region, uint32_t host, uint32_t index);
// The pid of a process, for people; 0 when it is gone, or never was.
// REQUIRES: a host of the region; the rest may be nonsense.
uint32_t PidOf(const Region& region, const ProcessRef& process);

// Whether that entry of this host is in use, and its sum wrong.
bool IsDamagedProcess(const Region& region, uint32_t index);

struct NameRecord {
  uint64_t id = 0;
  ProcessRef owner{};  // the index may be none of the table's
  std::string text{};
};
std::optional<NameRecord> ReadName(const Region& region, uint32_t host, uint32_t index);

struct RequestRecord {
  uint64_t id = 0;
  RequestState state{};
  uint32_t features = 0;
  ProcessRef owner{};
  uint32_t to_host = 0;
  uint32_t to_name = 0;
  uint64_t to_name_id = 0;
};
std::optional<RequestRecord> ReadRequest(const Region& region, uint32_t host, uint32_t index);

struct AnswerRecord {
  uint64_t id = 0;
  AnswerState state{};
  uint32_t refusal = 0;
  ProcessRef owner{};
  uint32_t to_host = 0;
  uint32_t to_request = 0;
  uint64_t to_request_id = 0;
  uint64_t offset = 0;
  uint64_t bytes = 0;
  uint64_t ring_bytes = 0;
  uint64_t payload_bytes = 0;
  uint32_t call_buffer_bytes = 0;
  uint32_t features = 0;
  uint32_t coherence = 0;
  std::string reason{};
};
std::optional<AnswerRecord> ReadAnswer(const Region& region, uint32_t host, uint32_t index);

// Makes an entry of this host from the record, and gives the record its id. The entry must be
// free, or belong to this process or a dead one.
void WriteProcess(const Region& region, uint32_t index, ProcessRecord& record)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(region.mutex());
void WriteName(const Region& region, uint32_t index, NameRecord& record)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(region.mutex());
void WriteRequest(const Region& region, uint32_t index, RequestRecord& record)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(region.mutex());
void WriteAnswer(const Region& region, uint32_t index, AnswerRecord& record)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(region.mutex());

// A text as words, zero-filled, cut to fit; and back.
void StoreText(absl::string_view text, SharedU64* words, size_t count);
std::string LoadText(const SharedU64* words, size_t count);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_REGION_REGION_ENTRIES_H_
