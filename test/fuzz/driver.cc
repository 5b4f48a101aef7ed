// A main() for fuzz targets where libFuzzer is not at hand: runs every file of the corpus
// folders given, then `--runs` inputs made from them, the same in every run. When one ends
// the process, its bytes are written to a file that can be given to this main() again.

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/log/check.h"
#include "test/fuzz/mutation.h"

ABSL_FLAG(uint32_t, runs, 100'000, "Inputs to make after the corpus was run.");
ABSL_FLAG(uint32_t, seed, 1, "Where the inputs begin; the same seed makes the same inputs.");
ABSL_FLAG(uint32_t, max_len, 512, "Bytes an input has at most.");

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
// AddressSanitizer's way to tell that it is about to end the process.
extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)());

namespace grpc_cxl::internal {
namespace {

// The input that runs now and the file it goes to if it is the last; nothing else can be
// done in a signal handler.
const std::string* g_input = nullptr;
std::string* g_crash_path = nullptr;

void SaveInput() {
  if (g_input == nullptr) return;
  const int fd = open(g_crash_path->c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  const bool saved = fd >= 0 && write(fd, g_input->data(), g_input->size()) ==
                                    static_cast<ssize_t>(g_input->size());
  constexpr char kSaved[] = "\nfuzz: the input that ended this process is in ";
  (void)!write(STDERR_FILENO, kSaved, sizeof(kSaved) - 1);
  (void)!write(STDERR_FILENO, saved ? g_crash_path->data() : "no file",
               saved ? g_crash_path->size() : 7);
  (void)!write(STDERR_FILENO, "\n", 1);
  g_input = nullptr;
}

void OnSignal(int signal_number) {
  SaveInput();
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

void Run(const std::string& input) {
  g_input = &input;
  // A copy of exactly this size, so that a sanitizer sees a read past its end.
  const std::vector<uint8_t> bytes(input.begin(), input.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  g_input = nullptr;
}

std::vector<std::string> ReadCorpus(const std::vector<char*>& arguments) {
  std::vector<std::string> corpus;
  const auto read = [&corpus](const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    QCHECK(file) << "cannot read " << path;
    std::ostringstream bytes;
    bytes << file.rdbuf();
    corpus.push_back(bytes.str());
  };
  for (size_t i = 1; i < arguments.size(); ++i) {
    if (!std::filesystem::is_directory(arguments[i])) {
      read(arguments[i]);
      continue;
    }
    std::vector<std::filesystem::path> paths(std::filesystem::directory_iterator(arguments[i]), {});
    std::sort(paths.begin(), paths.end());  // the folder's own order is nobody's
    QCHECK(!paths.empty()) << "no corpus in " << arguments[i];
    for (const std::filesystem::path& path : paths) read(path);
  }
  return corpus;
}

int Main(int argc, char** argv) {
  const std::vector<std::string> corpus = ReadCorpus(absl::ParseCommandLine(argc, argv));
  const char* folder = getenv("TEST_UNDECLARED_OUTPUTS_DIR");
  g_crash_path = new std::string(std::string(folder != nullptr ? folder : ".") + "/crash-input");
  for (int number : {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTERM}) signal(number, OnSignal);
  if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(SaveInput);

  for (const std::string& input : corpus) Run(input);
  std::mt19937 random(absl::GetFlag(FLAGS_seed));
  const uint32_t runs = absl::GetFlag(FLAGS_runs);
  for (uint32_t i = 0; i < runs; ++i) Run(NextInput(corpus, absl::GetFlag(FLAGS_max_len), random));
  printf("fuzz: %zu inputs of the corpus and %u made ones passed\n", corpus.size(), runs);
  return 0;
}

}  // namespace
}  // namespace grpc_cxl::internal

int main(int argc, char** argv) { return grpc_cxl::internal::Main(argc, argv); }
