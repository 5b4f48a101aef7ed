// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/status/status_page.h"

#include <cstdint>
#include <type_traits>

#include "absl/crc/crc32c.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"

namespace grpc_cxl::internal {
namespace {

template <typename Entry>
void Append(absl::Span<const Entry> entries, StatusSection* section, std::string* bytes) {
  static_assert(std::is_trivially_copyable_v<Entry>);
  *section = {static_cast<uint32_t>(entries.size()), sizeof(Entry)};
  bytes->append(reinterpret_cast<const char*>(entries.data()), entries.size() * sizeof(Entry));
}

// More than any owner writes, so that a page takes no more memory decoded than it has bytes.
constexpr uint32_t kMostEntries = 1024;

// Moves the section's entries, as their writer knew them, from the beginning of `rest`. False: they
// are not all there.
template <typename Entry>
bool Take(const StatusSection& section, absl::string_view* rest, std::vector<Entry>* entries) {
  if (section.count == 0) return true;
  if (section.entry_bytes == 0 || section.count > kMostEntries ||
      section.count > rest->size() / section.entry_bytes)
    return false;
  entries->resize(section.count);
  for (Entry& entry : *entries) {
    entry = {};
    std::memcpy(&entry, rest->data(), std::min<size_t>(section.entry_bytes, sizeof(Entry)));
    rest->remove_prefix(section.entry_bytes);
  }
  return true;
}

// A terminal may obey what it is shown.
template <size_t kBytes>
void MakePrintable(char (&text)[kBytes]) {
  text[kBytes - 1] = '\0';
  const size_t size = strlen(text);
  std::memset(text + size, 0, kBytes - size);
  std::replace_if(
      text, text + size, [](unsigned char c) { return !absl::ascii_isprint(c); }, '?');
}

uint32_t Checksum(absl::string_view bytes) {
  return static_cast<uint32_t>(absl::ComputeCrc32c(bytes));
}

}  // namespace

std::string EncodeStatus(const StatusPage& page) {
  StatusHeader header{};
  std::string body;
  Append(absl::MakeConstSpan(&page.process, 1), &header.sections[0], &body);
  Append(absl::MakeConstSpan(page.threads), &header.sections[1], &body);
  Append(absl::MakeConstSpan(page.names), &header.sections[2], &body);
  Append(absl::MakeConstSpan(page.networks), &header.sections[3], &body);
  Append(absl::MakeConstSpan(page.connections), &header.sections[4], &body);
  Append(absl::MakeConstSpan(page.network_peers), &header.sections[5], &body);
  header.magic = kStatusMagic;
  header.version = kStatusVersion;
  header.checksum = Checksum(body);
  header.bytes = static_cast<uint32_t>(sizeof(header) + body.size());
  return absl::StrCat(absl::string_view(reinterpret_cast<const char*>(&header), sizeof(header)),
                      body);
}

absl::StatusOr<StatusPage> DecodeStatus(absl::string_view bytes) {
  const absl::Status unfinished = absl::UnavailableError("the status page is being written");
  StatusHeader header;
  if (bytes.size() < sizeof(header)) return unfinished;
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (header.magic != kStatusMagic) return absl::FailedPreconditionError("this is no status page");
  if (header.version != kStatusVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat("the status page has version ", header.version, ", but this program reads ",
                     kStatusVersion, "; use the cxl_stat of the same release of grpc_cxl"));
  }
  if (header.bytes < sizeof(header) || header.bytes > bytes.size()) return unfinished;
  absl::string_view rest = bytes.substr(sizeof(header), header.bytes - sizeof(header));
  if (Checksum(rest) != header.checksum) return unfinished;
  StatusPage page;
  std::vector<StatusProcess> process;
  if (!Take(header.sections[0], &rest, &process) || process.size() != 1 ||
      !Take(header.sections[1], &rest, &page.threads) ||
      !Take(header.sections[2], &rest, &page.names) ||
      !Take(header.sections[3], &rest, &page.networks) ||
      !Take(header.sections[4], &rest, &page.connections) ||
      !Take(header.sections[5], &rest, &page.network_peers)) {
    return absl::FailedPreconditionError("the status page contradicts itself");
  }
  page.process = process.front();
  MakePrintable(page.process.command);
  MakePrintable(page.process.grpc_version);
  for (StatusName& name : page.names) {
    MakePrintable(name.name);
    MakePrintable(name.rollout);
    MakePrintable(name.last_refusal);
  }
  for (StatusNetwork& network : page.networks) {
    MakePrintable(network.address);
    MakePrintable(network.reason);
  }
  for (StatusConnection& connection : page.connections) {
    MakePrintable(connection.name);
    MakePrintable(connection.rollout);
  }
  for (StatusNetworkPeer& peer : page.network_peers) {
    MakePrintable(peer.peer);
    MakePrintable(peer.reason);
  }
  return page;
}

}  // namespace grpc_cxl::internal
