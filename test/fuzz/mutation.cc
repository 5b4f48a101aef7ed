#include "test/fuzz/mutation.h"

#include <algorithm>
#include <array>

namespace grpc_cxl::internal {
namespace {

// A number from 0 to `most`. Not std::uniform_int_distribution: its results differ between
// standard libraries.
size_t UpTo(size_t most, std::mt19937& random) { return random() % (most + 1); }

std::string RandomBytes(size_t size, std::mt19937& random) {
  std::string bytes(size, 0);
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

// A piece of `text` that begins and ends anywhere.
std::string Piece(const std::string& text, std::mt19937& random) {
  const size_t begin = UpTo(text.size(), random);
  return text.substr(begin, UpTo(text.size() - begin, random));
}

void Mutate(std::string& input, const std::vector<std::string>& corpus, std::mt19937& random) {
  // Bytes at which comparisons and counters turn.
  constexpr std::array<unsigned char, 8> kEdges = {0, 1, 2, 0x7f, 0x80, 0x81, 0xfe, 0xff};
  const size_t at = UpTo(input.size(), random);
  switch (UpTo(5, random)) {
    case 0:
      if (at < input.size()) input[at] ^= static_cast<char>(1 << UpTo(7, random));
      return;
    case 1:
      if (at < input.size()) input[at] = static_cast<char>(kEdges[UpTo(7, random)]);
      return;
    case 2:
      input.insert(at, RandomBytes(1 + UpTo(8, random), random));
      return;
    case 3:
      input.erase(at, 1 + UpTo(8, random));
      return;
    case 4:
      input.insert(at, Piece(input, random));
      return;
    case 5:
      input.resize(at);
      input += Piece(corpus[UpTo(corpus.size() - 1, random)], random);
      return;
  }
}

}  // namespace

std::string NextInput(const std::vector<std::string>& corpus, size_t most, std::mt19937& random) {
  std::string input;
  if (corpus.empty() || UpTo(3, random) == 0) {
    input = RandomBytes(UpTo(most, random), random);
  } else {
    input = corpus[UpTo(corpus.size() - 1, random)];
    for (size_t i = 0, changes = 1 + UpTo(7, random); i < changes; ++i) {
      Mutate(input, corpus, random);
    }
  }
  input.resize(std::min(input.size(), most));
  return input;
}

}  // namespace grpc_cxl::internal
