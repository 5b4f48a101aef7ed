// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/coherence/cache_lines.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "absl/log/check.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace grpc_cxl::internal {
namespace {

#if defined(__x86_64__)

using Flush = void (*)(const char* begin, const char* end);

// CLFLUSH is ordered with itself and with stores; the other two only by fences.
void FlushByClflush(const char* begin, const char* end) {
  for (; begin < end; begin += kLineBytes) _mm_clflush(begin);
}
__attribute__((target("clflushopt"))) void FlushByClflushopt(const char* begin, const char* end) {
  for (; begin < end; begin += kLineBytes) _mm_clflushopt(const_cast<char*>(begin));
}
__attribute__((target("clwb"))) void FlushByClwb(const char* begin, const char* end) {
  for (; begin < end; begin += kLineBytes) _mm_clwb(const_cast<char*>(begin));
}

// Intel SDM, CPUID leaf 7, subleaf 0: EBX bits 23 and 24.
struct Instructions {
  bool clflushopt = false;
  bool clwb = false;
  Flush write_back = FlushByClflush;
  Flush invalidate = FlushByClflush;

  Instructions() {
    unsigned eax, ebx = 0, ecx, edx;
    if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return;
    clflushopt = (ebx >> 23 & 1) != 0;
    clwb = (ebx >> 24 & 1) != 0;
    if (clflushopt) write_back = invalidate = FlushByClflushopt;
    if (clwb) write_back = FlushByClwb;  // which may keep the line, clean: ours to read on
  }
};

const Instructions& TheInstructions() {
  static const Instructions instructions;
  return instructions;
}

const char* LineOf(const void* byte) {
  return reinterpret_cast<const char*>(reinterpret_cast<uintptr_t>(byte) & ~(kLineBytes - 1));
}

void FlushAll(Flush flush, absl::Span<const char> bytes) {
  if (!bytes.empty()) flush(LineOf(bytes.data()), bytes.data() + bytes.size());
}

#endif

}  // namespace

#if defined(__x86_64__)

bool CanFlushLines() { return true; }

void WriteBackLines(absl::Span<const char> bytes, absl::Span<const char> more) {
  FlushAll(TheInstructions().write_back, bytes);
  FlushAll(TheInstructions().write_back, more);
  _mm_sfence();
}

void InvalidateLines(absl::Span<const char> bytes, absl::Span<const char> more) {
  FlushAll(TheInstructions().invalidate, bytes);
  FlushAll(TheInstructions().invalidate, more);
  _mm_mfence();  // an sfence would let a load go first
}

void PrefetchLines(absl::Span<const char> bytes) {
  constexpr size_t kMost = 48 * kLineBytes;
  const char* const end = bytes.data() + std::min(bytes.size(), kMost);
  for (const char* line = LineOf(bytes.data()); line < end; line += kLineBytes) {
    _mm_prefetch(line, _MM_HINT_T0);
  }
}

void StreamBytes(void* to, const void* from, size_t bytes) {
  char* out = static_cast<char*>(to);
  const char* in = static_cast<const char*>(from);
  const auto copy = [&](size_t part) {
    std::memcpy(out, in, part);
    out += part;
    in += part;
    bytes -= part;
  };
  copy(std::min(bytes, -reinterpret_cast<uintptr_t>(out) % kLineBytes));
  for (; bytes >= kLineBytes; bytes -= kLineBytes, out += kLineBytes, in += kLineBytes) {
    // All of a line, one after the other: the processor combines them.
    for (size_t i = 0; i < kLineBytes; i += sizeof(__m128i)) {
      _mm_stream_si128(reinterpret_cast<__m128i*>(out + i),
                       _mm_loadu_si128(reinterpret_cast<const __m128i*>(in + i)));
    }
  }
  copy(bytes);
  _mm_sfence();  // such stores are ordered by fences alone
}

absl::string_view WriteBackInstruction() {
  const Instructions& instructions = TheInstructions();
  return instructions.clwb ? "clwb" : instructions.clflushopt ? "clflushopt" : "clflush";
}

#else

bool CanFlushLines() { return false; }
void WriteBackLines(absl::Span<const char>, absl::Span<const char>) {
  CHECK(false) << "flush mode is for x86-64";
}
void InvalidateLines(absl::Span<const char>, absl::Span<const char>) {
  CHECK(false) << "flush mode is for x86-64";
}
void PrefetchLines(absl::Span<const char>) { CHECK(false) << "flush mode is for x86-64"; }
void StreamBytes(void*, const void*, size_t) { CHECK(false) << "flush mode is for x86-64"; }
absl::string_view WriteBackInstruction() { return "none"; }

#endif

}  // namespace grpc_cxl::internal
