#include "emulated/runtime/kernels.h"
#include "platform/cuda/target.h"

namespace lk::test {
namespace {

__global__ void add(int* values, int count, int added) {
    const int i = int(blockIdx.x * blockDim.x + threadIdx.x);
    if (i < count) values[i] += added;
}

__global__ void store(int64_t* values, const __grid_constant__ Numbers numbers) {
    values[threadIdx.x] = numbers.values[threadIdx.x];
}

}  // namespace

void launch_add(int* values, int count, int added, const cuda::LaunchConfig& config) {
    cuda::launch(add, config, values, count, added);
}

void launch_add(int* values, int count, int added, cudaStream_t stream) {
    launch_add(values, count, added, {.grid = unsigned(count + 31) / 32, .block = 32, .stream = stream});
}

const void* add_kernel() {
    return reinterpret_cast<const void*>(&add);
}

void launch_store(int64_t* values, const Numbers& numbers, cudaStream_t stream) {
    cuda::launch(store, {.grid = 1, .block = 40, .stream = stream}, values, numbers);
}

void launch_add_past_end(int* values, int count, cudaStream_t stream) {
    launch_add(values, count + 1, 1, stream);
}

}  // namespace lk::test
