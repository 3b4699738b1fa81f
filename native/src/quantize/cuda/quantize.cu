// Groups of NF4: absmax first, then codes. A lane has eight consecutive elements, and as many lanes as a group of up to
// 256 fills work on it side by side; larger groups are walked twice by a warp.
#include <bit>
#include <limits>

#include "core/dtype.h"
#include "core/memory.h"
#include "formats/nf4.h"
#include "matmul/cuda/elements.cuh"
#include "matmul/cuda/grid_size.h"
#include "platform/cuda/barrier.cuh"
#include "platform/cuda/global_memory.cuh"
#include "platform/cuda/launch.h"
#include "platform/cuda/warp.cuh"
#include "quantize/cuda/quantize.h"

namespace lk::cuda {
namespace {

constexpr int kWarps = 8;
constexpr uint32_t kRun = 8;  // elements of a lane
constexpr uint32_t kWarpElements = 32 * kRun;
constexpr uint32_t kMagnitude = 0x7fffffffu;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Where codes change, for a lookup by x rounded to 1/16: no two thresholds are that close. Each entry of a table lies
// in a bank of its own, but for the last.
struct Thresholds {
    static constexpr int kEntries = 33;  // x = -1 ... 1
    float change[kEntries];              // the threshold that rounds to here, or infinity
    uint32_t code[kEntries];             // up to it; beyond it is the next one
};

__device__ __forceinline__ void stage_thresholds(Thresholds& table) {
    for (int i = int(threadIdx.x); i < Thresholds::kEntries; i += kWarps * 32) {
        const float low = (float(i) - 16.5f) / 16;
        const float high = (float(i) - 15.5f) / 16;
        uint32_t code = 0;
        float change = kInfinity;
#pragma unroll
        for (int c = 0; c < nf4::kThresholds; ++c) {
            const float threshold = nf4::threshold(c);
            if (threshold < low) ++code;
            if (threshold > low && threshold < high) change = threshold;
        }
        table.change[i] = change;
        table.code[i] = code;
    }
}

// The code of x in [-1, 1]. The sum's last bits are x rounded to a sixteenth, nearest even; no threshold is a tie.
__device__ __forceinline__ uint32_t look_up(const Thresholds& table, float x) {
    const uint32_t entry = float_bits(fma_rn(x, 16.0f, 0x1p23f + 16.0f)) & 63;
    return table.code[entry] + (x > table.change[entry] ? 1 : 0);
}

// Eight consecutive elements in flat order, those behind the end 0. Vectors: w is dense, aligned, and ends with a run.
template <class T, bool Vectors>
__device__ __forceinline__ void load_run(const lk_matrix& w, int64_t first, float (&out)[kRun]) {
    const int64_t weights = w.rows * w.columns;
    if constexpr (!Vectors) {
#pragma unroll
        for (uint32_t i = 0; i < kRun; ++i) {
            const int64_t index = first + i;
            out[i] = 0;
            if (index < weights) out[i] = widen(row_of<const T>(w, index / w.columns)[index % w.columns]);
        }
        return;
    }
    uint32_t words[kRun] = {};
    if (first < weights) {
        const auto* const from = reinterpret_cast<const uint4*>(static_cast<const T*>(w.data) + first);
        const uint4 low = load_nc(from);
        words[0] = low.x, words[1] = low.y, words[2] = low.z, words[3] = low.w;
        if constexpr (sizeof(T) == sizeof(float)) {
            const uint4 high = load_nc(from + 1);
            words[4] = high.x, words[5] = high.y, words[6] = high.z, words[7] = high.w;
        }
    }
#pragma unroll
    for (uint32_t i = 0; i < kRun; ++i) {
        if constexpr (sizeof(T) == sizeof(float)) {
            out[i] = bits_float(words[i]);
        } else {
            out[i] = i % 2 == 0 ? low_to_float<T>(words[i / 2]) : high_to_float<T>(words[i / 2]);
        }
    }
}

bool has_vectors(const lk_matrix& w) {
    return reinterpret_cast<uintptr_t>(w.data) % 16 == 0 && (w.row_stride == w.columns || w.rows == 1) &&
           w.rows * w.columns % int64_t(kRun) == 0;
}

// The bits of the largest magnitude; those of an infinity or a NaN are the largest of all.
__device__ __forceinline__ uint32_t largest_of(const float (&values)[kRun]) {
    uint32_t largest = 0;
#pragma unroll
    for (const float value : values) {
        const uint32_t magnitude = float_bits(value) & kMagnitude;
        largest = magnitude > largest ? magnitude : largest;
    }
    return largest;
}

// Over neighbouring lanes, a power of two of them.
__device__ __forceinline__ uint32_t largest_of_lanes(uint32_t largest, uint32_t lanes) {
#pragma unroll
    for (uint32_t bits = 1; bits < 32; bits *= 2) {
        const uint32_t other = shuffle_xor(largest, bits);
        if (bits < lanes && other > largest) largest = other;
    }
    return largest;
}

// The codes of a run, two to a byte, the first in the high nibble: code(value) of each.
template <class Code>
__device__ __forceinline__ uint32_t codes_of(const float (&values)[kRun], const Code& code) {
    uint32_t codes = 0;
#pragma unroll
    for (uint32_t i = 0; i < kRun; ++i) codes |= code(values[i]) << (i / 2 * 8 + (i % 2 == 0 ? 4 : 0));
    return codes;
}

__device__ __forceinline__ uint32_t encode(const Thresholds& table, const float (&values)[kRun], float reciprocal) {
    if (is_finite(reciprocal)) {
        return codes_of(values, [&](float value) { return look_up(table, mul_rn(value, reciprocal)); });
    }
    // bitsandbytes multiplies by the reciprocal, and that of a subnormal can be infinite.
    return codes_of(values, [](float value) -> uint32_t { return value == 0 ? nf4::kZeroCode : value > 0 ? 15 : 0; });
}

__device__ __forceinline__ void store_codes(uint8_t* codes, int64_t first, int64_t weights, uint32_t run) {
    if (first + kRun <= weights) {
        *reinterpret_cast<uint32_t*>(codes + first / 2) = run;
        return;
    }
#pragma unroll
    for (uint32_t i = 0; i < kRun; i += 2) {
        if (first + i < weights) codes[(first + i) / 2] = static_cast<uint8_t>(run >> (i * 4));
    }
}

// Wide: groups of more than a warp's 256 elements.
template <class T, bool Vectors, bool Wide>
__global__ void __launch_bounds__(kWarps * 32)
    quantize_kernel(const __grid_constant__ lk_matrix w, uint32_t group_shift, uint8_t* codes, float* absmax) {
    LK_SHARED(Thresholds, table);
    stage_thresholds(table);
    block_sync();
    const int64_t weights = w.rows * w.columns;
    const uint32_t group_size = 1u << group_shift;
    const uint32_t span = Wide ? group_size : kWarpElements;  // of a warp at a time
    const uint32_t lanes = Wide ? 32 : group_size / kRun;     // of a group
    const uint32_t lane = lane_id();
    const int64_t step = int64_t(gridDim.x) * kWarps * span;
    for (int64_t item = (int64_t(blockIdx.x) * kWarps + threadIdx.x / 32) * span; item < weights; item += step) {
        const int64_t first = item + lane * kRun;
        float values[kRun];
        load_run<T, Vectors>(w, first, values);
        uint32_t largest = largest_of(values);
        if constexpr (Wide) {
            for (uint32_t done = kWarpElements; done < span; done += kWarpElements) {
                load_run<T, Vectors>(w, first + done, values);
                const uint32_t own = largest_of(values);
                largest = own > largest ? own : largest;
            }
        }
        largest = largest_of_lanes(largest, lanes);
        const float scale = bits_float(largest);
        if (lane % lanes == 0 && first < weights) {
            absmax[first >> group_shift] = is_finite(scale) ? scale : bits_float(0x7fc00000u);
        }
        const float reciprocal = largest == 0 ? 0.0f : is_finite(scale) ? 1.0f / scale : kInfinity;
        if constexpr (Wide) {
            for (uint32_t done = 0; done < span; done += kWarpElements) {
                load_run<T, Vectors>(w, first + done, values);
                store_codes(codes, first + done, weights, encode(table, values, reciprocal));
            }
        } else {
            store_codes(codes, first, weights, encode(table, values, reciprocal));
        }
    }
}

}  // namespace

void quantize_groups(const Stream& stream, const lk_matrix& w, int64_t group_size, uint8_t* codes, float* absmax) {
    const bool wide = group_size > kWarpElements;
    const int64_t items = divide_up(w.rows * w.columns, wide ? group_size : kWarpElements);
    const LaunchConfig config{
        .grid = grid_size(divide_up(items, kWarps)), .block = kWarps * 32, .stream = stream.handle()};
    const auto group_shift = uint32_t(std::countr_zero(uint64_t(group_size)));
    with_dtype(w.dtype, [&]<class T>(T*) {
        const auto launch_for = [&]<bool Vectors>() {
            launch(wide ? quantize_kernel<T, Vectors, true> : quantize_kernel<T, Vectors, false>, config, w,
                   group_shift, codes, absmax);
        };
        has_vectors(w) ? launch_for.template operator()<true>() : launch_for.template operator()<false>();
    });
}

}  // namespace lk::cuda
