// Kernel launches: launch(kernel, {.grid = …, .block = …, .stream = …}, arguments...).
#pragma once

#include <cstdint>
#include <tuple>
#include <utility>

#include "platform/cuda/api.h"
#if defined(LK_EMULATED)
#include "platform/cuda_emulated/kernel_call.h"
#endif

namespace lk::cuda {

struct LaunchConfig {
    dim3 grid;
    dim3 block;
    uint32_t shared_bytes = 0;  // dynamic
    cudaStream_t stream = nullptr;
    // May start before the kernel ahead of it in the stream has ended; it then calls grid_dependency_wait() before it
    // touches anything that one writes or reads.
    bool programmatic = false;
};

#if defined(LK_EMULATED)
using KernelArguments = std::shared_ptr<const emulated::KernelCall>;
#else
using KernelArguments = void**;
#endif

// The part that does not depend on the kernel's type. Raises the kernel's limit of dynamic shared memory where needed.
void launch_kernel(const void* kernel, const LaunchConfig& config, KernelArguments arguments);

// Arguments are converted to the kernel's parameter types, as in a call, and are copied. Throws what CUDA reports about
// the launch itself; what happens while it runs is reported by a later call.
template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), const LaunchConfig& config, Arguments&&... arguments) {
    static_assert(sizeof...(Parameters) == sizeof...(Arguments), "one argument for each of the kernel's parameters");
#if defined(LK_EMULATED)
    launch_kernel(reinterpret_cast<const void*>(kernel), config,
                  emulated::make_kernel_call(kernel, std::forward<Arguments>(arguments)...));
#else
    std::tuple<Parameters...> values(std::forward<Arguments>(arguments)...);
    std::apply(
        [&](Parameters&... value) {
            void* addresses[] = {const_cast<void*>(static_cast<const void*>(&value))..., nullptr};
            launch_kernel(reinterpret_cast<const void*>(kernel), config, addresses);
        },
        values);
#endif
}

}  // namespace lk::cuda
