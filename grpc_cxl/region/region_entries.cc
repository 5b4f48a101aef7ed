// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/region/region_entries.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <type_traits>

#include "grpc_cxl/region/entry_sum.h"

namespace grpc_cxl::internal {
namespace {

// Fields are loaded between two loads of the id and stored between two stores of it, and must not
// move out of these. Each load is matched by the stores to the same word.
constexpr auto kAcquire = std::memory_order_acquire;
constexpr auto kRelease = std::memory_order_release;

template <typename Entry>
absl::Span<const char> BytesOf(const Entry& entry) {
  return absl::MakeConstSpan(reinterpret_cast<const char*>(&entry), sizeof(entry));
}

// As LoadText() reads it.
absl::string_view Stored(absl::string_view text, size_t words) {
  return text.substr(0, std::min(text.find('\0'), words * sizeof(uint64_t)));
}

uint64_t SumOf(const ProcessRecord& record) {
  return EntrySum(record.process.incarnation, record.pid, record.uid, record.nonce,
                  record.node.device, record.node.inode)
      .value();
}
uint64_t SumOf(const NameRecord& record) {
  EntrySum sum(record.id, record.owner.incarnation, record.owner.index);
  sum.AddText(Stored(record.text, kNameWords));
  return sum.value();
}
uint64_t SumOf(const RequestRecord& record) {
  return EntrySum(record.id, record.features, record.owner.incarnation, record.owner.index,
                  record.to_host, record.to_name, record.to_name_id)
      .value();
}
uint64_t SumOf(const AnswerRecord& record) {
  EntrySum sum(record.id, record.refusal, record.owner.incarnation, record.owner.index,
               record.to_host, record.to_request, record.to_request_id, record.offset, record.bytes,
               record.ring_bytes, record.payload_bytes, record.call_buffer_bytes, record.features,
               record.coherence);
  sum.AddText(Stored(record.reason, kReasonWords));
  return sum.value();
}

// Reads an entry's fields by `take` between two looks at its id.
template <typename Record, typename Entry, typename Take>
std::optional<Record> ReadEntry(const Region& region, uint32_t host, const Entry& entry,
                                const SharedU64& id_word, Take take, Site site = Site::current()) {
  const uint64_t id = region.Load(host, id_word, site);
  if (id == 0) return std::nullopt;
  region.Acquire(host, BytesOf(entry), site);
  Record record = take(id);
  if (SumOf(record) != entry.sum.load(kAcquire)) return std::nullopt;
  if (region.Load(host, id_word, site) != id) return std::nullopt;
  return record;
}

ProcessRef TakeProcess(uint32_t host, const ProcessWords& words) {
  return {host, words.index.load(kAcquire), words.incarnation.load(kAcquire)};
}

void PutProcess(const ProcessRef& process, ProcessWords& words) {
  words.index.store(process.index, kRelease);
  words.incarnation.store(process.incarnation, kRelease);
}

// Writes an entry's fields by `put`, then its id.
template <typename Entry, typename Record, typename Put>
void WriteEntry(const Region& region, Entry& entry, SharedU64& id_word, const Record& record,
                uint64_t id, Put put, Site site = Site::current()) {
  region.Store(id_word, uint64_t{0}, site);
  put();
  entry.sum.store(SumOf(record), kRelease);
  region.Publish(BytesOf(entry), site);
  region.Store(id_word, id, site);
  region.own_entries().Remember(
      {reinterpret_cast<SharedU64*>(&entry), sizeof(entry) / sizeof(SharedU64)},
      /*second_changes=*/!std::is_same_v<Entry, NameEntry>);
}

}  // namespace

void StoreText(absl::string_view text, SharedU64* words, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    uint64_t word = 0;
    const absl::string_view piece = text.substr(std::min(text.size(), i * sizeof(word)));
    memcpy(&word, piece.data(), std::min(piece.size(), sizeof(word)));
    words[i].store(word, kRelease);
  }
}

std::string LoadText(const SharedU64* words, size_t count) {
  std::string text;
  for (size_t i = 0; i < count; ++i) {
    const uint64_t word = words[i].load(kAcquire);
    text.append(reinterpret_cast<const char*>(&word), sizeof(word));
  }
  return text.substr(0, text.find('\0'));
}

std::optional<ProcessRecord> ReadProcess(const Region& region, uint32_t host, uint32_t index) {
  const ProcessEntry& entry = region.control(host).processes[index];
  return ReadEntry<ProcessRecord>(region, host, entry, entry.incarnation, [&](uint64_t id) {
    return ProcessRecord{.process = {host, index, id},
                         .beat = entry.beat.load(kAcquire),
                         .pid = entry.pid.load(kAcquire),
                         .uid = entry.uid.load(kAcquire),
                         .nonce = entry.nonce.load(kAcquire),
                         .node = {entry.node[0].load(kAcquire), entry.node[1].load(kAcquire)}};
  });
}

bool IsDamagedProcess(const Region& region, uint32_t index) {
  return region.mine().processes[index].incarnation.load(kAcquire) != 0 &&
         !ReadProcess(region, region.host(), index).has_value();
}

uint32_t PidOf(const Region& region, const ProcessRef& process) {
  if (process.index >= kHostProcesses) return 0;
  const auto record = ReadProcess(region, process.host, process.index);
  return record.has_value() && record->process == process ? record->pid : 0;
}

void WriteProcess(const Region& region, uint32_t index, ProcessRecord& record) {
  ProcessEntry& entry = region.mine().processes[index];
  record.process = {region.host(), index, region.NextId()};
  WriteEntry(region, entry, entry.incarnation, record, record.process.incarnation, [&] {
    entry.beat.store(record.beat, kRelease);
    entry.pid.store(record.pid, kRelease);
    entry.uid.store(record.uid, kRelease);
    entry.nonce.store(record.nonce, kRelease);
    entry.node[0].store(record.node.device, kRelease);
    entry.node[1].store(record.node.inode, kRelease);
  });
}

std::optional<NameRecord> ReadName(const Region& region, uint32_t host, uint32_t index) {
  const NameEntry& entry = region.control(host).names[index];
  return ReadEntry<NameRecord>(region, host, entry, entry.id, [&](uint64_t id) {
    return NameRecord{.id = id,
                      .owner = TakeProcess(host, entry.owner),
                      .text = LoadText(entry.text, kNameWords)};
  });
}

void WriteName(const Region& region, uint32_t index, NameRecord& record) {
  NameEntry& entry = region.mine().names[index];
  record.id = region.NextId();
  WriteEntry(region, entry, entry.id, record, record.id, [&] {
    PutProcess(record.owner, entry.owner);
    StoreText(record.text, entry.text, kNameWords);
  });
}

std::optional<RequestRecord> ReadRequest(const Region& region, uint32_t host, uint32_t index) {
  const RequestEntry& entry = region.control(host).requests[index];
  return ReadEntry<RequestRecord>(region, host, entry, entry.id, [&](uint64_t id) {
    return RequestRecord{.id = id,
                         .state = static_cast<RequestState>(entry.state.load(kAcquire)),
                         .features = entry.features.load(kAcquire),
                         .owner = TakeProcess(host, entry.owner),
                         .to_host = entry.to_host.load(kAcquire),
                         .to_name = entry.to_name.load(kAcquire),
                         .to_name_id = entry.to_name_id.load(kAcquire)};
  });
}

void WriteRequest(const Region& region, uint32_t index, RequestRecord& record) {
  RequestEntry& entry = region.mine().requests[index];
  record.id = region.NextId();
  WriteEntry(region, entry, entry.id, record, record.id, [&] {
    entry.state.store(static_cast<uint32_t>(record.state), kRelease);
    entry.features.store(record.features, kRelease);
    PutProcess(record.owner, entry.owner);
    entry.to_host.store(record.to_host, kRelease);
    entry.to_name.store(record.to_name, kRelease);
    entry.to_name_id.store(record.to_name_id, kRelease);
  });
}

std::optional<AnswerRecord> ReadAnswer(const Region& region, uint32_t host, uint32_t index) {
  const AnswerEntry& entry = region.control(host).answers[index];
  return ReadEntry<AnswerRecord>(region, host, entry, entry.id, [&](uint64_t id) {
    return AnswerRecord{.id = id,
                        .state = static_cast<AnswerState>(entry.state.load(kAcquire)),
                        .refusal = entry.refusal.load(kAcquire),
                        .owner = TakeProcess(host, entry.owner),
                        .to_host = entry.to_host.load(kAcquire),
                        .to_request = entry.to_request.load(kAcquire),
                        .to_request_id = entry.to_request_id.load(kAcquire),
                        .offset = entry.offset.load(kAcquire),
                        .bytes = entry.bytes.load(kAcquire),
                        .ring_bytes = entry.ring_bytes.load(kAcquire),
                        .payload_bytes = entry.payload_bytes.load(kAcquire),
                        .call_buffer_bytes = entry.call_buffer_bytes.load(kAcquire),
                        .features = entry.features.load(kAcquire),
                        .coherence = entry.coherence.load(kAcquire),
                        .reason = LoadText(entry.reason, kReasonWords)};
  });
}

void WriteAnswer(const Region& region, uint32_t index, AnswerRecord& record) {
  AnswerEntry& entry = region.mine().answers[index];
  record.id = region.NextId();
  WriteEntry(region, entry, entry.id, record, record.id, [&] {
    entry.state.store(static_cast<uint32_t>(record.state), kRelease);
    entry.refusal.store(record.refusal, kRelease);
    PutProcess(record.owner, entry.owner);
    entry.to_host.store(record.to_host, kRelease);
    entry.to_request.store(record.to_request, kRelease);
    entry.to_request_id.store(record.to_request_id, kRelease);
    entry.offset.store(record.offset, kRelease);
    entry.bytes.store(record.bytes, kRelease);
    entry.ring_bytes.store(record.ring_bytes, kRelease);
    entry.payload_bytes.store(record.payload_bytes, kRelease);
    entry.call_buffer_bytes.store(record.call_buffer_bytes, kRelease);
    entry.features.store(record.features, kRelease);
    entry.coherence.store(record.coherence, kRelease);
    StoreText(record.reason, entry.reason, kReasonWords);
  });
}

}  // namespace grpc_cxl::internal
