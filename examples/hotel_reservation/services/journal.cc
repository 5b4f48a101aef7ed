// SPDX-License-Identifier: Apache-2.0
#include "examples/hotel_reservation/services/journal.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace hotel_reservation {
namespace {

using grpc::experimental::InterceptionHookPoints;

class Noting final : public grpc::experimental::Interceptor {
 public:
  Noting(std::shared_ptr<Journal> journal, absl::string_view method)
      : journal_(std::move(journal)), method_(method) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_INITIAL_METADATA)) {
      const auto* const metadata = methods->GetRecvInitialMetadata();
      const auto id = metadata->find("x-request-id");
      if (id != metadata->end()) {
        journal_->Note(absl::StrCat(absl::string_view(id->second.data(), id->second.size()), " ",
                                    method_.substr(method_.rfind('.') + 1)));
      }
    }
    methods->Proceed();
  }

 private:
  const std::shared_ptr<Journal> journal_;
  const absl::string_view method_;  // "/package.Service/Method"
};

class NotingFactory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit NotingFactory(std::shared_ptr<Journal> journal) : journal_(std::move(journal)) {}

  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* info) override {
    return new Noting(journal_, info->method());
  }

 private:
  const std::shared_ptr<Journal> journal_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<Journal>> Journal::Open(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
  struct stat found;
  void* bytes = MAP_FAILED;
  if (fd >= 0 && fstat(fd, &found) == 0 && found.st_size >= static_cast<off_t>(2 * kLineBytes)) {
    bytes = mmap(nullptr, static_cast<size_t>(found.st_size), PROT_READ | PROT_WRITE, MAP_SHARED,
                 fd, 0);
  }
  const int error = errno;
  if (fd >= 0) close(fd);
  if (bytes == MAP_FAILED) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " is no file or device of at least ", 2 * kLineBytes,
                     " bytes that this process can map: ", strerror(error)));
  }
  return std::shared_ptr<Journal>(
      new Journal(static_cast<char*>(bytes), static_cast<size_t>(found.st_size)));
}

Journal::~Journal() { munmap(bytes_, size_); }

void Journal::Note(absl::string_view line) {
  // relaxed: a number of its own for each line, which is read when its writers have ended.
  const uint64_t lines =
      std::atomic_ref(*reinterpret_cast<uint64_t*>(bytes_)).fetch_add(1, std::memory_order_relaxed);
  if ((lines + 2) * kLineBytes > size_) return;
  if (line.size() > kLineBytes) line.remove_prefix(line.size() - kLineBytes);
  memcpy(bytes_ + (lines + 1) * kLineBytes, line.data(), line.size());
}

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> NoteCalls(
    std::shared_ptr<Journal> journal) {
  return std::make_unique<NotingFactory>(std::move(journal));
}

}  // namespace hotel_reservation
