// SPDX-License-Identifier: Apache-2.0
// A main() for fuzz targets: runs every file of the corpus folders given, then `--runs` inputs
// made from them, the same in every run. An input that ends the process stays in the file
// "crash-input", which can be given to this main() again.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/log/check.h"
#include "grpc_cxl/base/unique_fd.h"

ABSL_FLAG(uint32_t, runs, 100'000, "Inputs to make after the corpus was run.");
ABSL_FLAG(uint32_t, seed, 1, "The same seed makes the same inputs.");

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace grpc_cxl::internal {
namespace {

constexpr size_t kMostBytes = 512;  // of a made input

// Keeps the running input in a file, so that a crash needs no handler.
class Runner {
 public:
  explicit Runner(std::string path)
      : path_(std::move(path)),
        file_(open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) {
    PCHECK(file_) << path_;
  }
  ~Runner() { unlink(path_.c_str()); }

  void Run(const std::string& input) {
    const auto size = static_cast<ssize_t>(input.size());
    PCHECK(ftruncate(file_.get(), size) == 0);
    PCHECK(pwrite(file_.get(), input.data(), input.size(), 0) == size);
    // A copy of exactly this size, so that a sanitizer sees a read past its end.
    const std::vector<uint8_t> bytes(input.begin(), input.end());
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  }

 private:
  const std::string path_;
  const UniqueFd file_;
};

std::vector<std::string> ReadCorpus(const std::vector<char*>& arguments) {
  std::vector<std::filesystem::path> paths;
  for (size_t i = 1; i < arguments.size(); ++i) {
    if (std::filesystem::is_directory(arguments[i])) {
      std::copy(std::filesystem::directory_iterator(arguments[i]), {}, std::back_inserter(paths));
    } else {
      paths.emplace_back(arguments[i]);
    }
  }
  QCHECK(!paths.empty()) << "no corpus";
  std::sort(paths.begin(), paths.end());  // a folder has no order of its own
  std::vector<std::string> corpus;
  for (const std::filesystem::path& path : paths) {
    std::ifstream file(path, std::ios::binary);
    QCHECK(file) << "cannot read " << path;
    corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return corpus;
}

// Random bytes, or the beginning of an input of `corpus` and the end of another with random
// bytes between them and a few bytes changed.
std::string NextInput(const std::vector<std::string>& corpus, std::mt19937& random) {
  // Not std::uniform_int_distribution: its results differ between standard libraries.
  const auto up_to = [&random](size_t most) { return random() % (most + 1); };
  const bool noise = up_to(3) == 0;
  std::string middle(up_to(noise ? kMostBytes : 8), '\0');
  for (char& byte : middle) byte = static_cast<char>(random());
  if (noise) return middle;
  const std::string& first = corpus[up_to(corpus.size() - 1)];
  const std::string& last = corpus[up_to(corpus.size() - 1)];
  std::string input = first.substr(0, up_to(first.size())) + middle;
  input += last.substr(up_to(last.size()));
  input.resize(std::min(input.size(), kMostBytes));
  // Bytes at which comparisons and counters turn, and any.
  constexpr unsigned char kEdges[] = {0, 1, 2, 0x7f, 0x80, 0x81, 0xfe, 0xff};
  for (size_t changes = input.empty() ? 0 : up_to(4); changes > 0; --changes) {
    input[up_to(input.size() - 1)] = static_cast<char>(up_to(1) == 0 ? kEdges[up_to(7)] : random());
  }
  return input;
}

int Main(int argc, char** argv) {
  const std::vector<std::string> corpus = ReadCorpus(absl::ParseCommandLine(argc, argv));
  const char* folder = getenv("TEST_UNDECLARED_OUTPUTS_DIR");
  Runner runner(std::string(folder != nullptr ? folder : ".") + "/crash-input");
  for (const std::string& input : corpus) runner.Run(input);
  std::mt19937 random(absl::GetFlag(FLAGS_seed));
  const uint32_t runs = absl::GetFlag(FLAGS_runs);
  for (uint32_t i = 0; i < runs; ++i) runner.Run(NextInput(corpus, random));
  printf("fuzz: %zu inputs of the corpus and %u made ones passed\n", corpus.size(), runs);
  return 0;
}

}  // namespace
}  // namespace grpc_cxl::internal

int main(int argc, char** argv) { return grpc_cxl::internal::Main(argc, argv); }
