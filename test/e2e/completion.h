#ifndef GRPC_CXL_TEST_E2E_COMPLETION_H_
#define GRPC_CXL_TEST_E2E_COMPLETION_H_

#include <grpcpp/completion_queue.h>

#include <coroutine>
#include <exception>
#include <functional>
#include <utility>

// gRPC's completion queue API as coroutines: `bool ok = co_await Operation(start)` calls
// start(tag) and goes on when a queue gives the tag back. A queue is served by one
// thread, so the coroutines on it never run at the same time.
namespace grpc_cxl::e2e {

// What every tag points at.
class Completion {
 public:
  virtual void Complete(bool ok) = 0;

 protected:
  ~Completion() = default;
};

// Gives completions to their owners until the queue is shut down and empty.
inline void Serve(grpc::CompletionQueue* queue) {
  void* tag;
  bool ok;
  while (queue->Next(&tag, &ok)) static_cast<Completion*>(tag)->Complete(ok);
}

// One operation: started when it is awaited.
class Operation final : public Completion {
 public:
  explicit Operation(std::function<void(void* tag)> start) : start_(std::move(start)) {}

  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> coroutine) {
    coroutine_ = coroutine;
    start_(static_cast<Completion*>(this));
  }
  bool await_resume() const { return ok_; }

  void Complete(bool ok) override {
    ok_ = ok;
    coroutine_.resume();
  }

 private:
  const std::function<void(void*)> start_;
  std::coroutine_handle<> coroutine_;
  bool ok_ = false;
};

// A completion that may come before anybody waits for it.
class Event final : public Completion {
 public:
  void* tag() { return static_cast<Completion*>(this); }
  bool happened() const { return happened_; }

  bool await_ready() const { return happened_; }
  void await_suspend(std::coroutine_handle<> coroutine) { coroutine_ = coroutine; }
  void await_resume() const {}

  void Complete(bool) override {
    happened_ = true;
    if (coroutine_) coroutine_.resume();
  }

 private:
  bool happened_ = false;
  std::coroutine_handle<> coroutine_;
};

// A coroutine that starts at once and cleans up after itself.
struct Detached {
  struct promise_type {
    Detached get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
};

}  // namespace grpc_cxl::e2e

#endif  // GRPC_CXL_TEST_E2E_COMPLETION_H_
