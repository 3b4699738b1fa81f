// A kernel with its arguments, ready to be run by every thread of a launch, as often as a graph replays it.
#pragma once

#include <memory>
#include <tuple>
#include <utility>

namespace lk::emulated {

class KernelCall {
  public:
    virtual ~KernelCall() = default;
    // One thread's run.
    virtual void run() const = 0;
    virtual const void* kernel() const = 0;
};

template <class... Parameters>
class TypedKernelCall final : public KernelCall {
  public:
    template <class... Arguments>
    explicit TypedKernelCall(void (*kernel)(Parameters...), Arguments&&... arguments)
        : kernel_(kernel), arguments_(std::forward<Arguments>(arguments)...) {}

    const void* kernel() const override { return reinterpret_cast<const void*>(kernel_); }

    // The arguments are the device's constant memory: reading them is not a memory access of the kernel's.
    __attribute__((no_sanitize("thread"))) void run() const override { call(std::index_sequence_for<Parameters...>()); }

  private:
    template <size_t... Index>
    __attribute__((no_sanitize("thread"), always_inline)) void call(std::index_sequence<Index...>) const {
        kernel_(std::get<Index>(arguments_)...);
    }

    void (*kernel_)(Parameters...);
    std::tuple<Parameters...> arguments_;
};

template <class... Parameters, class... Arguments>
std::shared_ptr<const KernelCall> make_kernel_call(void (*kernel)(Parameters...), Arguments&&... arguments) {
    return std::make_shared<const TypedKernelCall<Parameters...>>(kernel, std::forward<Arguments>(arguments)...);
}

}  // namespace lk::emulated
