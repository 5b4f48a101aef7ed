// SPDX-License-Identifier: Apache-2.0
// The program NAME of a bundle: maps the loader lib/ld-linux-* beside it into this process, and
// lets it run lib/programs/NAME with the libraries in lib/.
//
// No exec(): so /proc/self/exe, the process's name and NAME's neighbours are what NAME expects. No
// C library either: a process can have only one, and the bundled one comes later.

#include <elf.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

namespace {

constexpr size_t kPathBytes = 4096;
constexpr size_t kMostSegments = 16;

#if defined(__x86_64__)
#define LOADER "ld-linux-x86-64.so.2"
long Call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
  long result;
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  register long r9 asm("r9") = f;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
}
[[noreturn]] void Jump(uintptr_t entry, void* stack) {
  asm volatile("mov %1, %%rsp\n xor %%edx, %%edx\n xor %%ebp, %%ebp\n jmp *%0"
               :
               : "a"(entry), "c"(stack)
               : "memory");
  __builtin_unreachable();
}
asm(".globl _start\n_start:\n xor %ebp, %ebp\n mov %rsp, %rdi\n and $-16, %rsp\n call Launch\n");
#elif defined(__aarch64__)
#define LOADER "ld-linux-aarch64.so.1"
long Call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
  register long x8 asm("x8") = number;
  register long x0 asm("x0") = a;
  register long x1 asm("x1") = b;
  register long x2 asm("x2") = c;
  register long x3 asm("x3") = d;
  register long x4 asm("x4") = e;
  register long x5 asm("x5") = f;
  asm volatile("svc #0"
               : "+r"(x0)
               : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
               : "memory");
  return x0;
}
[[noreturn]] void Jump(uintptr_t entry, void* stack) {
  asm volatile("mov sp, %1\n mov x0, #0\n mov x29, #0\n mov x30, #0\n br %0"
               :
               : "r"(entry), "r"(stack)
               : "memory", "x0");
  __builtin_unreachable();
}
asm(".globl _start\n_start:\n mov x29, #0\n mov x30, #0\n mov x0, sp\n bl Launch\n");
#else
#error "The launcher of bundles knows x86-64 and AArch64."
#endif

bool Failed(long result) { return result < 0 && result > -4096; }

size_t Length(const char* text) {
  size_t length = 0;
  while (text[length] != '\0') ++length;
  return length;
}

void Print(const char* text) {
  Call(SYS_write, 2, reinterpret_cast<long>(text), static_cast<long>(Length(text)));
}

[[noreturn]] void Fail(const char* what, const char* path) {
  Print("cannot run: ");
  Print(path);
  Print(what);
  Call(SYS_exit_group, 127);
  __builtin_unreachable();
}

// A path, in memory of this size; what does not fit is an error.
class Path {
 public:
  Path& Set(const char* text, size_t length) {
    length_ = 0;
    return Append(text, length);
  }
  Path& Append(const char* text) { return Append(text, Length(text)); }
  Path& Append(const char* text, size_t length) {
    if (length_ + length >= kPathBytes) Fail(": the path is too long\n", text);
    for (size_t i = 0; i < length; ++i) bytes_[length_ + i] = text[i];
    length_ += length;
    bytes_[length_] = '\0';
    return *this;
  }
  // The part up to the last slash, with it; the whole path if there is none in it.
  size_t FolderLength() const {
    size_t length = length_;
    while (length > 0 && bytes_[length - 1] != '/') --length;
    return length;
  }
  const char* text() const { return bytes_; }
  char* buffer() { return bytes_; }

 private:
  char bytes_[kPathBytes] = {};
  size_t length_ = 0;
};

// Static: the stack is not ours to fill.
constinit Path self, loader, program, folder;

uintptr_t page = 4096;  // the kernel says how large it is

uintptr_t Down(uintptr_t value) { return value & ~(page - 1); }
uintptr_t Up(uintptr_t value) { return Down(value + page - 1); }

struct Image {
  uintptr_t entry;
  uintptr_t headers;
  size_t header_count;
};

int Protection(uint32_t flags) {
  return ((flags & PF_R) != 0 ? PROT_READ : 0) | ((flags & PF_W) != 0 ? PROT_WRITE : 0) |
         ((flags & PF_X) != 0 ? PROT_EXEC : 0);
}

uintptr_t Map(uintptr_t address, size_t bytes, int protection, int flags, int fd, size_t offset) {
  const long result = Call(SYS_mmap, static_cast<long>(address), static_cast<long>(bytes),
                           protection, MAP_PRIVATE | flags, fd, static_cast<long>(offset));
  if (Failed(result)) Fail(": no memory to map it\n", loader.text());
  return static_cast<uintptr_t>(result);
}

// As the kernel maps a program that is position-independent, as loaders are.
Image MapLoader(int fd) {
  Elf64_Ehdr header;
  Elf64_Phdr segments[kMostSegments];
  constexpr const char* kDamaged = ": it is damaged; make the bundle anew\n";
  if (Call(SYS_read, fd, reinterpret_cast<long>(&header), sizeof(header)) != sizeof(header) ||
      header.e_phnum > kMostSegments || header.e_phentsize != sizeof(Elf64_Phdr)) {
    Fail(kDamaged, loader.text());
  }
  const long bytes = header.e_phnum * static_cast<long>(sizeof(Elf64_Phdr));
  if (Call(SYS_pread64, fd, reinterpret_cast<long>(segments), bytes,
           static_cast<long>(header.e_phoff)) != bytes) {
    Fail(kDamaged, loader.text());
  }
  uintptr_t end = 0;
  for (size_t i = 0; i < header.e_phnum; ++i) {
    if (segments[i].p_type == PT_LOAD) end = Up(segments[i].p_vaddr + segments[i].p_memsz);
  }
  if (end == 0) Fail(kDamaged, loader.text());
  const uintptr_t base = Map(0, end, PROT_NONE, MAP_ANONYMOUS, -1, 0);
  for (size_t i = 0; i < header.e_phnum; ++i) {
    const Elf64_Phdr& segment = segments[i];
    if (segment.p_type != PT_LOAD) continue;
    const uintptr_t begin = base + Down(segment.p_vaddr);
    const uintptr_t file_end = base + segment.p_vaddr + segment.p_filesz;
    const uintptr_t memory_end = base + Up(segment.p_vaddr + segment.p_memsz);
    const int protection = Protection(segment.p_flags);
    Map(begin, file_end - begin, protection, MAP_FIXED, fd, Down(segment.p_offset));
    if (segment.p_memsz > segment.p_filesz) {
      for (char* byte = reinterpret_cast<char*>(file_end);
           byte < reinterpret_cast<char*>(Up(file_end)); ++byte) {
        asm volatile("" : : : "memory");  // else this becomes a call of memset(), which we lack
        *byte = 0;
      }
      if (memory_end > Up(file_end)) {
        Map(Up(file_end), memory_end - Up(file_end), protection, MAP_FIXED | MAP_ANONYMOUS, -1, 0);
      }
    }
  }
  return {base + header.e_entry, base + header.e_phoff, header.e_phnum};
}

// Finds this file: as the kernel names it, or, without /proc, as exec() was told.
void FindSelf(const char* as_told) {
  const long length = Call(SYS_readlinkat, AT_FDCWD, reinterpret_cast<long>("/proc/self/exe"),
                           reinterpret_cast<long>(self.buffer()), kPathBytes - 1);
  if (length > 0) {
    const char* text = self.buffer();
    self.Set(text, static_cast<size_t>(length));
  } else {
    self.Set(as_told, Length(as_told));
  }
}

}  // namespace

// `stack` is as the kernel made it: argc, argv, null, environment, null, auxiliary vector.
extern "C" [[noreturn]] __attribute__((used)) void Launch(uintptr_t* stack) {
  const size_t argc = stack[0];
  uintptr_t* const environment = stack + argc + 2;
  uintptr_t* end = environment;
  while (*end != 0) ++end;
  auto* const auxiliary = reinterpret_cast<Elf64_auxv_t*>(end + 1);
  Elf64_auxv_t* last = auxiliary;
  const char* as_told = "";
  for (; last->a_type != AT_NULL; ++last) {
    if (last->a_type == AT_EXECFN) as_told = reinterpret_cast<const char*>(last->a_un.a_val);
    if (last->a_type == AT_PAGESZ) page = last->a_un.a_val;
  }

  FindSelf(as_told);
  const size_t length = self.FolderLength();
  folder.Set(self.text(), length).Append("lib");
  loader.Set(folder.text(), length + 3).Append("/" LOADER);
  program.Set(folder.text(), length + 3).Append("/programs/").Append(self.text() + length);

  const long fd =
      Call(SYS_openat, AT_FDCWD, reinterpret_cast<long>(loader.text()), O_RDONLY | O_CLOEXEC);
  if (Failed(fd)) Fail(" is missing: copy the bundle as a whole\n", loader.text());
  const Image image = MapLoader(static_cast<int>(fd));
  Call(SYS_close, fd);

  // The same stack once more, as if the loader had been run with the program to load as argument.
  const uintptr_t arguments[] = {
      reinterpret_cast<uintptr_t>(loader.text()),
      reinterpret_cast<uintptr_t>("--library-path"),
      reinterpret_cast<uintptr_t>(folder.text()),
      reinterpret_cast<uintptr_t>("--argv0"),
      argc > 0 ? stack[1] : reinterpret_cast<uintptr_t>(self.text()),
      reinterpret_cast<uintptr_t>(program.text()),
  };
  constexpr size_t kArguments = sizeof(arguments) / sizeof(arguments[0]);
  const size_t old_words = static_cast<size_t>(reinterpret_cast<uintptr_t*>(last + 1) - stack);
  const size_t words = old_words + kArguments;
  const auto room = reinterpret_cast<uintptr_t>(__builtin_alloca((words + 2) * sizeof(uintptr_t)));
  auto* const copy = reinterpret_cast<uintptr_t*>((room + 15) & ~uintptr_t{15});
  uintptr_t* to = copy;
  *to++ = (argc > 0 ? argc - 1 : 0) + kArguments;
  for (const uintptr_t argument : arguments) *to++ = argument;
  for (size_t i = 1; i < argc; ++i) *to++ = stack[1 + i];
  *to++ = 0;
  for (uintptr_t* from = environment; from < reinterpret_cast<uintptr_t*>(last + 1);) {
    *to++ = *from++;
  }
  auto* item = reinterpret_cast<Elf64_auxv_t*>(to) - (last + 1 - auxiliary);
  for (; item->a_type != AT_NULL; ++item) {
    if (item->a_type == AT_PHDR) item->a_un.a_val = image.headers;
    if (item->a_type == AT_PHNUM) item->a_un.a_val = image.header_count;
    if (item->a_type == AT_ENTRY) item->a_un.a_val = image.entry;
    if (item->a_type == AT_BASE) item->a_un.a_val = 0;
  }
  Jump(image.entry, copy);
}
