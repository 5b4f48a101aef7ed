// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_PROTOCOL_DOCUMENT_H_
#define GRPC_CXL_TEST_PROTOCOL_DOCUMENT_H_

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

// What docs/protocol.md says in its tables.
namespace grpc_cxl::protocol_test {

// A row of section 13.
struct Check {
  std::string name;     // "C7"
  std::string reader;   // "server", "client" or "both"
  std::string outcome;  // "end", "refuse 1", ...
};
std::vector<Check> ReadChecks();

// The bytes of one structure, from a table that has a title as "**Hello**, 32 bytes".
struct ByteTable {
  size_t size = 0;
  std::map<std::string, std::pair<size_t, size_t>> fields;  // offset and size, by name
};
std::map<std::string, ByteTable> ReadByteTables();

}  // namespace grpc_cxl::protocol_test

#endif  // GRPC_CXL_TEST_PROTOCOL_DOCUMENT_H_
