// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/direct/static_text.h"

#include <link.h>

#include <cstddef>
#include <cstdint>

namespace grpc_cxl::internal {

bool IsLiteral(const char* text) {
  // A library that is unloaded takes its stubs with it; what lies there later is looked at by
  // IsMessageOf() once more.
  thread_local const char* last = nullptr;
  if (text == last) return true;
  struct Search {
    uintptr_t address;
    bool found;
  } search{reinterpret_cast<uintptr_t>(text), false};
  const auto look = [](dl_phdr_info* info, size_t, void* of) {
    auto* const search = static_cast<Search*>(of);
    for (int i = 0; i < info->dlpi_phnum; ++i) {
      const auto& part = info->dlpi_phdr[i];
      if (part.p_type != PT_LOAD || (part.p_flags & PF_W) != 0) continue;
      if (search->address - (info->dlpi_addr + part.p_vaddr) < part.p_memsz) search->found = true;
    }
    return search->found ? 1 : 0;
  };
  dl_iterate_phdr(look, &search);
  if (search.found) last = text;
  return search.found;
}

}  // namespace grpc_cxl::internal
