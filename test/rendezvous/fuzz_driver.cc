// Runs a fuzz target as an ordinary test: a fixed number of inputs from a seeded generator,
// with some runs of equal and of boundary bytes. Linked with libFuzzer instead of this file,
// the same target looks for more.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int main() {
  constexpr int kInputs = 50'000;
  const char* chosen = getenv("FUZZ_SEED");
  const unsigned seed = chosen != nullptr ? strtoul(chosen, nullptr, 10) : 1;
  std::printf("FUZZ_SEED=%u, %d inputs\n", seed, kInputs);
  std::mt19937 random(seed);
  std::vector<uint8_t> input;
  for (int i = 0; i < kInputs; ++i) {
    input.resize(random() % (i % 10 == 0 ? 1000 : 64));
    const unsigned style = random() % 3;
    for (uint8_t& byte : input) {
      static constexpr uint8_t kBoundaries[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
      byte = style == 0 ? kBoundaries[random() % 5] : random();
    }
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
}
