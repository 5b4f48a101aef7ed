// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_COHERENCE_TEST_VIEW_H_
#define GRPC_CXL_TEST_COHERENCE_TEST_VIEW_H_

#include <memory>

#include "absl/log/check.h"
#include "absl/types/span.h"
#include "grpc_cxl/coherence/far_memory.h"
#include "grpc_cxl/coherence/memory_model.h"
#include "grpc_cxl/coherence/shared_view.h"
#include "grpc_cxl/environment.h"

namespace grpc_cxl::internal {

// The memory model that this test runs in: plain, or what the environment of the test target
// says (checked.bzl).
inline MemoryModel TestMemoryModel() {
  const Environment environment = Environment::Read();
  EndpointSettings settings;
  CHECK_OK(environment.Apply(&settings));
  const absl::StatusOr<Coherence> coherence = environment.Apply(Coherence::kCoherent);
  CHECK_OK(coherence);
  const absl::StatusOr<MemoryModel> model =
      MakeMemoryModel(*coherence, settings.distance, settings.check_flushes);
  CHECK_OK(model);
  return *model;
}

// One side's way to memory that it shares with the test's other side: the memory itself, or the
// checker's private copy of it. `image` is aligned to lines, and a multiple of them.
class TestView {
 public:
  explicit TestView(absl::Span<char> image, const MemoryModel& model = TestMemoryModel())
      : image_(image.data()), far_(FarMemory::Create(model, image)) {}
  template <typename Image>
  explicit TestView(Image* image)
      : TestView(absl::Span<char>(reinterpret_cast<char*>(image), sizeof(Image))) {
    static_assert(alignof(Image) >= 64);
  }

  SharedView view() const { return SharedView(far_.get()); }

  // Where this side finds what is at `image`.
  template <typename T>
  T* At(T* image) const {
    if (far_ == nullptr) return image;
    const auto offset = reinterpret_cast<const char*>(image) - image_;
    return reinterpret_cast<T*>(far_->memory().data() + offset);
  }
  template <typename T>
  absl::Span<T> At(absl::Span<T> image) const {
    return absl::Span<T>(At(image.data()), image.size());
  }

 private:
  const char* const image_;
  const std::unique_ptr<FarMemory> far_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_COHERENCE_TEST_VIEW_H_
