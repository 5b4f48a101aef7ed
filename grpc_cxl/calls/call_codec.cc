// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/calls/call_codec.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "absl/log/check.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace grpc_cxl::internal {
namespace {

absl::Status Malformed(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("the peer sent a malformed call: ", what));
}

size_t MetadataBytes(const MetadataView& metadata) {
  size_t bytes = 0;
  for (const auto& [key, value] : metadata)
    bytes += sizeof(MetadataHead) + key.size() + value.size();
  return bytes;
}

// Appends to a buffer.
class Writer {
 public:
  explicit Writer(char* at) : at_(at) {}
  template <typename Head>
  void Struct(const Head& head) {
    memcpy(at_, &head, sizeof(head));
    at_ += sizeof(head);
  }
  void Bytes(absl::string_view bytes) {
    if (!bytes.empty()) memcpy(at_, bytes.data(), bytes.size());
    at_ += bytes.size();
  }
  void Metadata(const MetadataView& metadata) {
    for (const auto& [key, value] : metadata) {
      Struct(MetadataHead{static_cast<uint32_t>(key.size()), static_cast<uint32_t>(value.size())});
      Bytes(key);
      Bytes(value);
    }
  }
  const char* at() const { return at_; }

 private:
  char* at_;
};

// Takes values off the front; false when too few bytes are left.
class Reader {
 public:
  explicit Reader(absl::string_view rest) : rest_(rest) {}
  template <typename Head>
  bool Struct(Head* head) {
    absl::string_view bytes;
    if (!Bytes(sizeof(Head), &bytes)) return false;
    memcpy(head, bytes.data(), sizeof(Head));
    return true;
  }
  bool Bytes(uint64_t size, absl::string_view* out) {
    if (size > rest_.size()) return false;
    *out = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return true;
  }
  bool Metadata(uint32_t count, uint32_t bytes, MetadataView* out) {
    absl::string_view area;
    // Before the reserve(): `count` entries need at least their heads.
    if (!Bytes(bytes, &area) || count > bytes / sizeof(MetadataHead)) return false;
    Reader reader(area);
    out->reserve(count);
    for (uint32_t i = 0; i < count; ++i) {
      MetadataHead head;
      absl::string_view key, value;
      if (!reader.Struct(&head) || !reader.Bytes(head.key_bytes, &key) ||
          !reader.Bytes(head.value_bytes, &value)) {
        return false;
      }
      out->emplace_back(key, value);
    }
    return reader.rest_.empty();
  }
  bool empty() const { return rest_.empty(); }

 private:
  absl::string_view rest_;
};

}  // namespace

size_t RequestHeadBytes(const RequestView& request) {
  return sizeof(RequestHead) + request.method.size() + MetadataBytes(request.metadata);
}

void EncodeRequestHead(const RequestView& request, size_t message_bytes, absl::Span<char> out) {
  RequestHead head{};
  head.timeout_ns = request.timeout_ns;
  head.method_bytes = static_cast<uint32_t>(request.method.size());
  head.metadata_bytes = static_cast<uint32_t>(MetadataBytes(request.metadata));
  head.metadata_count = static_cast<uint32_t>(request.metadata.size());
  head.message_bytes = static_cast<uint32_t>(message_bytes);
  head.block = request.block;
  Writer writer(out.data());
  writer.Struct(head);
  writer.Bytes(request.method);
  writer.Metadata(request.metadata);
  CHECK_EQ(writer.at(), out.data() + out.size());
}

void ShortenTimeout(uint64_t by_ns, std::string* request) {
  static_assert(offsetof(RequestHead, timeout_ns) == 0);
  uint64_t timeout_ns;
  if (request->size() < sizeof(timeout_ns)) return;
  memcpy(&timeout_ns, request->data(), sizeof(timeout_ns));
  if (timeout_ns == kNoTimeout) return;
  timeout_ns -= std::min(timeout_ns, by_ns);
  memcpy(request->data(), &timeout_ns, sizeof(timeout_ns));
}

absl::StatusOr<RequestView> DecodeRequest(absl::string_view bytes) {
  Reader reader(bytes);
  RequestHead head;
  RequestView request;
  if (!reader.Struct(&head)) return Malformed("no head");
  request.timeout_ns = head.timeout_ns;
  if (!reader.Bytes(head.method_bytes, &request.method)) return Malformed("its method is cut off");
  if (request.method.size() < 2 || request.method[0] != '/' ||
      request.method.find('\0') != absl::string_view::npos) {
    return Malformed("its method is not a path");
  }
  if (!reader.Metadata(head.metadata_count, head.metadata_bytes, &request.metadata)) {
    return Malformed("its metadata has another size than it says");
  }
  if (!reader.Bytes(head.message_bytes, &request.message) || !reader.empty()) {
    return Malformed("its message has another length than it says");
  }
  request.block = head.block;
  if (head.block.bytes > 0 && !request.message.empty()) return Malformed("it has two messages");
  return request;
}

std::string EncodeResponseHead(const ResponseView& response, size_t message_bytes) {
  ResponseHead head{};
  head.code = response.code;
  head.status_message_bytes = static_cast<uint32_t>(response.status_message.size());
  head.status_details_bytes = static_cast<uint32_t>(response.status_details.size());
  head.initial_metadata_bytes = static_cast<uint32_t>(MetadataBytes(response.initial_metadata));
  head.initial_metadata_count = static_cast<uint32_t>(response.initial_metadata.size());
  head.trailing_metadata_bytes = static_cast<uint32_t>(MetadataBytes(response.trailing_metadata));
  head.trailing_metadata_count = static_cast<uint32_t>(response.trailing_metadata.size());
  head.has_message = response.has_message ? 1 : 0;
  head.message_bytes = message_bytes;
  head.block = response.block;
  const size_t head_bytes = sizeof(head) + response.status_message.size() +
                            response.status_details.size() + head.initial_metadata_bytes +
                            head.trailing_metadata_bytes;
  std::string out;
  out.reserve(head_bytes + message_bytes);
  out.resize(head_bytes);
  Writer writer(out.data());
  writer.Struct(head);
  writer.Bytes(response.status_message);
  writer.Bytes(response.status_details);
  writer.Metadata(response.initial_metadata);
  writer.Metadata(response.trailing_metadata);
  return out;
}

absl::StatusOr<ResponseView> DecodeResponse(absl::string_view bytes) {
  Reader reader(bytes);
  ResponseHead head;
  ResponseView response;
  if (!reader.Struct(&head)) return Malformed("no head");
  response.code = head.code;
  response.has_message = head.has_message != 0;
  if (!reader.Bytes(head.status_message_bytes, &response.status_message) ||
      !reader.Bytes(head.status_details_bytes, &response.status_details)) {
    return Malformed("its status is cut off");
  }
  if (!reader.Metadata(head.initial_metadata_count, head.initial_metadata_bytes,
                       &response.initial_metadata) ||
      !reader.Metadata(head.trailing_metadata_count, head.trailing_metadata_bytes,
                       &response.trailing_metadata)) {
    return Malformed("its metadata has another size than it says");
  }
  if (!reader.Bytes(head.message_bytes, &response.message) || !reader.empty()) {
    return Malformed("its message has another length than it says");
  }
  response.block = head.block;
  if (head.block.bytes > 0 && !response.message.empty()) return Malformed("it has two messages");
  return response;
}

}  // namespace grpc_cxl::internal
