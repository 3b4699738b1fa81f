// Double quantization: one block finds the mean of absmax, then a block an outer group takes it off and quantizes the
// rest.
#include "core/memory.h"
#include "formats/dynamic_map.h"
#include "matmul/cuda/grid_size.h"
#include "platform/cuda/barrier.cuh"
#include "platform/cuda/convert.cuh"
#include "platform/cuda/launch.h"
#include "quantize/cuda/quantize.h"
#include "quantize/quantize.h"

namespace lk::cuda {
namespace {

constexpr int kThreads = kSumLanes;

struct Sums {
    double lanes[kThreads];
};
struct Largest {
    float lanes[kThreads];
};

__global__ void __launch_bounds__(kThreads) mean_kernel(const float* absmax, int64_t groups, float* mean) {
    LK_SHARED(Sums, sums);
    const int lane = int(threadIdx.x);
    double sum = 0;
    for (int64_t i = lane; i < groups; i += kThreads) sum += double(absmax[i]);
    sums.lanes[lane] = sum;
    block_sync();
    for (int half = kThreads / 2; half > 0; half /= 2) {
        if (lane < half) sums.lanes[lane] += sums.lanes[lane + half];
        block_sync();
    }
    if (lane == 0) *mean = static_cast<float>(sums.lanes[0] / double(groups));
}

__global__ void __launch_bounds__(kThreads)
    scales_kernel(const float* absmax, int64_t groups, int64_t outer_group_size, NestedScales scales) {
    LK_SHARED(Largest, largest);
    const int lane = int(threadIdx.x);
    const float offset = *scales.offset;
    for (int64_t outer = blockIdx.x; outer * outer_group_size < groups; outer += gridDim.x) {
        const int64_t first = outer * outer_group_size;
        const int64_t count = groups - first < outer_group_size ? groups - first : outer_group_size;
        float own = 0;
        for (int64_t i = lane; i < count; i += kThreads) {
            const float magnitude = bits_float(float_bits(absmax[first + i] - offset) & 0x7fffffffu);
            own = magnitude > own ? magnitude : own;
        }
        block_sync();
        largest.lanes[lane] = own;
        block_sync();
        for (int half = kThreads / 2; half > 0; half /= 2) {
            if (lane < half && largest.lanes[lane + half] > largest.lanes[lane]) {
                largest.lanes[lane] = largest.lanes[lane + half];
            }
            block_sync();
        }
        const float scale = largest.lanes[0];
        if (lane == 0) scales.outer_scales[outer] = scale;
        const float reciprocal = scale == 0 ? 0.0f : 1.0f / scale;
        for (int64_t i = lane; i < count; i += kThreads) {
            scales.codes[first + i] = nf4::nearest(scales.map, mul_rn(absmax[first + i] - offset, reciprocal));
        }
    }
}

}  // namespace

void quantize_scales(const Stream& stream, const float* absmax, int64_t groups, int64_t outer_group_size,
                     const NestedScales& scales) {
    launch(mean_kernel, {.grid = 1, .block = kThreads, .stream = stream.handle()}, absmax, groups, scales.offset);
    launch(scales_kernel,
           {.grid = grid_size(divide_up(groups, outer_group_size)), .block = kThreads, .stream = stream.handle()},
           absmax, groups, outer_group_size, scales);
}

}  // namespace lk::cuda
