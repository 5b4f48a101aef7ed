// SPDX-License-Identifier: Apache-2.0
// The byte tables of docs/protocol.md have the sizes and offsets of the layout headers.

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>

#include "grpc_cxl/base/layout_version.h"
#include "grpc_cxl/calls/call_layout.h"
#include "grpc_cxl/link/link_layout.h"
#include "grpc_cxl/region/region_layout.h"
#include "grpc_cxl/rendezvous/handshake_layout.h"
#include "test/protocol/document.h"

namespace grpc_cxl::internal {
namespace {

using protocol_test::ByteTable;

#define AT(name, Struct, member)                                               \
  {                                                                            \
    name, { offsetof(Struct, member), sizeof(std::declval<Struct&>().member) } \
  }
#define FIELD(Struct, member) AT(#member, Struct, member)

const std::map<std::string, ByteTable> kTables = {
    {"Preamble",
     {sizeof(HandshakePreamble),
      {FIELD(HandshakePreamble, magic), FIELD(HandshakePreamble, layout_version),
       FIELD(HandshakePreamble, features)}}},
    {"Hello",
     {sizeof(HelloMessage),
      {FIELD(HelloMessage, preamble), FIELD(HelloMessage, pid), FIELD(HelloMessage, reserved)}}},
    {"Welcome",
     {sizeof(WelcomeMessage),
      {FIELD(WelcomeMessage, preamble), FIELD(WelcomeMessage, pid), FIELD(WelcomeMessage, refusal),
       FIELD(WelcomeMessage, arena_bytes), FIELD(WelcomeMessage, ring_bytes),
       FIELD(WelcomeMessage, payload_bytes), FIELD(WelcomeMessage, sealed),
       FIELD(WelcomeMessage, call_buffer_bytes), FIELD(WelcomeMessage, coherence),
       FIELD(WelcomeMessage, reserved), FIELD(WelcomeMessage, reason)}}},
    {"ArenaHeader",
     {sizeof(LinkHeader),
      {FIELD(LinkHeader, magic), FIELD(LinkHeader, arena_bytes), FIELD(LinkHeader, ring_bytes),
       FIELD(LinkHeader, server_pid), FIELD(LinkHeader, layout_version)}}},
    {"SideWords",
     {sizeof(LinkSideWords),
      {AT("head", LinkSideWords, tx.head), AT("want_space", LinkSideWords, tx.want_space),
       AT("tail", LinkSideWords, rx.tail), AT("epoch", LinkSideWords, doorbell.epoch),
       AT("stream_closed", LinkSideWords, state.stream_closed),
       AT("pages_in_use", LinkSideWords, blocks.pages_in_use),
       AT("returned", LinkSideWords, returns.returned)}}},
    {"BlockDescriptor",
     {sizeof(BlockDescriptor), {FIELD(BlockDescriptor, begin), FIELD(BlockDescriptor, bytes)}}},
    {"CallClientWords",
     {sizeof(CallClientWords),
      {FIELD(CallClientWords, posted), FIELD(CallClientWords, cancelled),
       FIELD(CallClientWords, acked), FIELD(CallClientWords, ping),
       FIELD(CallClientWords, awake)}}},
    {"CallServerWords",
     {sizeof(CallServerWords),
      {FIELD(CallServerWords, news), FIELD(CallServerWords, cancels_seen),
       FIELD(CallServerWords, accepting), FIELD(CallServerWords, pong)}}},
    {"CallClientSlot",
     {sizeof(CallClientSlot),
      {FIELD(CallClientSlot, generation), FIELD(CallClientSlot, request_bytes),
       FIELD(CallClientSlot, waiter), FIELD(CallClientSlot, cancelled_generation)}}},
    {"CallServerSlot",
     {sizeof(CallServerSlot), {FIELD(CallServerSlot, word), FIELD(CallServerSlot, part_bytes)}}},
    {"RequestHead",
     {sizeof(RequestHead),
      {FIELD(RequestHead, timeout_ns), FIELD(RequestHead, method_bytes),
       FIELD(RequestHead, metadata_bytes), FIELD(RequestHead, metadata_count),
       FIELD(RequestHead, message_bytes), FIELD(RequestHead, block)}}},
    {"MetadataHead",
     {sizeof(MetadataHead), {FIELD(MetadataHead, key_bytes), FIELD(MetadataHead, value_bytes)}}},
    {"ResponseHead",
     {sizeof(ResponseHead),
      {FIELD(ResponseHead, code), FIELD(ResponseHead, status_message_bytes),
       FIELD(ResponseHead, status_details_bytes), FIELD(ResponseHead, initial_metadata_bytes),
       FIELD(ResponseHead, initial_metadata_count), FIELD(ResponseHead, trailing_metadata_bytes),
       FIELD(ResponseHead, trailing_metadata_count), FIELD(ResponseHead, has_message),
       FIELD(ResponseHead, message_bytes), FIELD(ResponseHead, block)}}},
    {"RegionHeader",
     {sizeof(RegionHeader),
      {FIELD(RegionHeader, layout_version), FIELD(RegionHeader, hosts), FIELD(RegionHeader, magic),
       FIELD(RegionHeader, region_bytes), FIELD(RegionHeader, granule_bytes),
       FIELD(RegionHeader, lease_ms)}}},
    {"HostControl",
     {sizeof(HostControl),
      {AT("opened", HostControl, words.opened), AT("boot_id", HostControl, words.boot_id),
       AT("next_id", HostControl, words.next_id),
       AT("requests_made", HostControl, words.requests_made),
       AT("answers_made", HostControl, words.answers_made), FIELD(HostControl, processes),
       FIELD(HostControl, names), FIELD(HostControl, requests), FIELD(HostControl, answers)}}},
    {"ProcessEntry",
     {sizeof(ProcessEntry),
      {FIELD(ProcessEntry, incarnation), FIELD(ProcessEntry, beat), FIELD(ProcessEntry, pid),
       FIELD(ProcessEntry, uid)}}},
    {"ProcessWords",
     {sizeof(ProcessWords), {FIELD(ProcessWords, incarnation), FIELD(ProcessWords, index)}}},
    {"NameEntry",
     {sizeof(NameEntry), {FIELD(NameEntry, id), FIELD(NameEntry, owner), FIELD(NameEntry, text)}}},
    {"RequestEntry",
     {sizeof(RequestEntry),
      {FIELD(RequestEntry, id), FIELD(RequestEntry, state), FIELD(RequestEntry, features),
       FIELD(RequestEntry, owner), FIELD(RequestEntry, to_host), FIELD(RequestEntry, to_name),
       FIELD(RequestEntry, to_name_id)}}},
    {"AnswerEntry",
     {sizeof(AnswerEntry),
      {FIELD(AnswerEntry, id), FIELD(AnswerEntry, state), FIELD(AnswerEntry, refusal),
       FIELD(AnswerEntry, owner), FIELD(AnswerEntry, to_host), FIELD(AnswerEntry, to_request),
       FIELD(AnswerEntry, to_request_id), FIELD(AnswerEntry, offset), FIELD(AnswerEntry, bytes),
       FIELD(AnswerEntry, ring_bytes), FIELD(AnswerEntry, payload_bytes),
       FIELD(AnswerEntry, call_buffer_bytes), FIELD(AnswerEntry, features),
       FIELD(AnswerEntry, coherence), FIELD(AnswerEntry, reason)}}},
};

TEST(LayoutTest, TheDocumentHasTheBytesOfTheHeaders) {
  const std::map<std::string, ByteTable> document = protocol_test::ReadByteTables();
  EXPECT_EQ(document.size(), kTables.size());
  for (const auto& [name, table] : kTables) {
    ASSERT_EQ(document.count(name), 1u) << name;
    EXPECT_EQ(document.at(name).size, table.size) << name;
    EXPECT_EQ(document.at(name).fields, table.fields) << name;
  }
}

}  // namespace
}  // namespace grpc_cxl::internal
