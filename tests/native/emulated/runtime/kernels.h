// Launches of the small kernels that the tests of the runtime run.
#pragma once

#include "platform/cuda/launch.h"

namespace lk::test {

// values[i] += added, a thread each.
void launch_add(int* values, int count, int added, const cuda::LaunchConfig& config);
void launch_add(int* values, int count, int added, cudaStream_t stream);

// For calls that need a kernel's address.
const void* add_kernel();

// values[i] = the argument's i-th number.
struct Numbers {
    int64_t values[40];
};
void launch_store(int64_t* values, const Numbers& numbers, cudaStream_t stream);

// As launch_add, past the end.
void launch_add_past_end(int* values, int count, cudaStream_t stream);

}  // namespace lk::test
