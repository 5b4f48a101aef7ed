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
#include "grpc_cxl/rendezvous/take_over_layout.h"
#include "grpc_cxl/status/status_layout.h"
#include "grpc_cxl/streams/stream_layout.h"
#include "test/protocol/document.h"

namespace grpc_cxl::internal {
namespace {

using protocol_test::ByteTable;

// A field of the structure S, by its path; the document has the last part of that.
#define FIELD(path)                                                         \
  {                                                                         \
    LastPart(#path), { offsetof(S, path), sizeof(std::declval<S&>().path) } \
  }
#define TABLE(name, Struct, ...)                     \
  std::pair<const std::string, ByteTable>(name, [] { \
    using S = Struct;                                \
    return ByteTable{sizeof(S), {__VA_ARGS__}};      \
  }())

std::string LastPart(const std::string& path) { return path.substr(path.rfind('.') + 1); }

const std::map<std::string, ByteTable> kTables = {
    TABLE("Preamble", HandshakePreamble, FIELD(magic), FIELD(layout_version), FIELD(features)),
    TABLE("TakeOver", TakeOverMessage, FIELD(preamble), FIELD(pid), FIELD(step)),
    TABLE("Hello", HelloMessage, FIELD(preamble), FIELD(pid), FIELD(line_key)),
    TABLE("Welcome", WelcomeMessage, FIELD(preamble), FIELD(pid), FIELD(refusal),
          FIELD(arena_bytes), FIELD(ring_bytes), FIELD(payload_bytes), FIELD(sealed),
          FIELD(call_buffer_bytes), FIELD(coherence), FIELD(granted_pages), FIELD(text)),
    TABLE("Challenge", ChallengeMessage, FIELD(preamble), FIELD(nonce)),
    TABLE("ClientProof", ClientProofMessage, FIELD(preamble), FIELD(nonce), FIELD(proof)),
    TABLE("ServerProof", ServerProofMessage, FIELD(preamble), FIELD(proof)),
    TABLE("Line", LineMessage, FIELD(preamble), FIELD(claim)),
    TABLE("ArenaHeader", LinkHeader, FIELD(magic), FIELD(arena_bytes), FIELD(ring_bytes),
          FIELD(server_pid), FIELD(layout_version)),
    TABLE("SideWords", LinkSideWords, FIELD(tx.head), FIELD(tx.want_space), FIELD(rx.tail),
          FIELD(doorbell.epoch), FIELD(doorbell.woke_at), FIELD(state.stream_closed),
          FIELD(blocks.pages_in_use), FIELD(blocks.wanted), FIELD(returns.returned),
          FIELD(returns.granted), FIELD(look)),
    TABLE("LookLine", LinkLookLine, FIELD(stream_closed), FIELD(head), FIELD(tail), FIELD(returned),
          FIELD(calls)),
    TABLE("BlockDescriptor", BlockDescriptor, FIELD(begin), FIELD(bytes)),
    TABLE("CallClientWords", CallClientWords, FIELD(look.posted), FIELD(look.cancelled),
          FIELD(look.acked), FIELD(look.ping), FIELD(calls_read), FIELD(more_areas), FIELD(awake)),
    TABLE("CallServerWords", CallServerWords, FIELD(look.news), FIELD(look.cancels_seen),
          FIELD(look.accepting), FIELD(look.pong), FIELD(load), FIELD(capacity)),
    TABLE("CallClientSlot", CallClientSlot, FIELD(generation), FIELD(request_bytes), FIELD(waiter),
          FIELD(cancelled_generation), FIELD(priority), FIELD(number)),
    TABLE("CallServerSlot", CallServerSlot, FIELD(word), FIELD(part_bytes), FIELD(woke_at)),
    TABLE("RequestHead", RequestHead, FIELD(timeout_ns), FIELD(method_bytes), FIELD(metadata_bytes),
          FIELD(metadata_count), FIELD(message_bytes), FIELD(block)),
    TABLE("MetadataHead", MetadataHead, FIELD(key_bytes), FIELD(value_bytes)),
    TABLE("ResponseHead", ResponseHead, FIELD(code), FIELD(status_message_bytes),
          FIELD(status_details_bytes), FIELD(initial_metadata_bytes), FIELD(initial_metadata_count),
          FIELD(trailing_metadata_bytes), FIELD(trailing_metadata_count), FIELD(has_message),
          FIELD(message_bytes), FIELD(block)),
    TABLE("StreamNewsWords", StreamNewsWords, FIELD(total), FIELD(granted), FIELD(of_slot)),
    TABLE("StreamClientSlot", StreamClientSlot, FIELD(tx.head), FIELD(tx.want_space),
          FIELD(rx.tail), FIELD(generation), FIELD(cancelled), FIELD(closed), FIELD(waiter),
          FIELD(priority)),
    TABLE("StreamServerSlot", StreamServerSlot, FIELD(tx.head), FIELD(tx.want_space),
          FIELD(rx.tail), FIELD(word), FIELD(woke_at)),
    TABLE("RegionHeader", RegionHeader, FIELD(layout_version), FIELD(hosts), FIELD(magic),
          FIELD(region_bytes), FIELD(granule_bytes), FIELD(lease_ms)),
    TABLE("HostControl", HostControl, FIELD(words.opened), FIELD(words.boot_id),
          FIELD(words.next_id), FIELD(words.requests_made), FIELD(words.answers_made),
          FIELD(processes), FIELD(names), FIELD(requests), FIELD(answers)),
    TABLE("ProcessEntry", ProcessEntry, FIELD(incarnation), FIELD(beat), FIELD(pid), FIELD(uid),
          FIELD(nonce), FIELD(node), FIELD(sum)),
    TABLE("ProcessWords", ProcessWords, FIELD(incarnation), FIELD(index)),
    TABLE("NameEntry", NameEntry, FIELD(id), FIELD(owner), FIELD(text), FIELD(sum)),
    TABLE("RequestEntry", RequestEntry, FIELD(id), FIELD(state), FIELD(features), FIELD(owner),
          FIELD(to_host), FIELD(to_name), FIELD(to_name_id), FIELD(sum)),
    TABLE("AnswerEntry", AnswerEntry, FIELD(id), FIELD(state), FIELD(refusal), FIELD(owner),
          FIELD(to_host), FIELD(to_request), FIELD(to_request_id), FIELD(offset), FIELD(bytes),
          FIELD(ring_bytes), FIELD(payload_bytes), FIELD(call_buffer_bytes), FIELD(features),
          FIELD(coherence), FIELD(reason), FIELD(sum)),
    TABLE("StatusHeader", StatusHeader, FIELD(magic), FIELD(version), FIELD(checksum), FIELD(bytes),
          FIELD(sections)),
    TABLE("StatusNetworkPeer", StatusNetworkPeer, FIELD(start_time), FIELD(peer), FIELD(reason)),
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
