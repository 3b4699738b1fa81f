// Groups of NF4 and FP4: absmax first, then codes. A lane has eight consecutive elements, and as many lanes as a group
// of up to 256 fills work on it side by side; larger groups are walked twice by a warp.
#include <bit>
#include <limits>

#include "core/dtype.h"
#include "core/memory.h"
#include "formats/levels.h"
#include "matmul/cuda/grid_size.h"
#include "platform/cuda/barrier.cuh"
#include "platform/cuda/launch.h"
#include "quantize/cuda/quantize.h"
#include "quantize/cuda/runs.cuh"

namespace lk::cuda {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Where ranks change, for a lookup by x rounded to 1/16: no two thresholds are that close. Each entry of a table lies
// in a bank of its own, but for the last.
struct Thresholds {
    static constexpr int kEntries = 33;
    float change[kEntries];   // the threshold that rounds to here, or infinity
    uint32_t rank[kEntries];  // up to it; beyond it is the next one
};

// NF4: the rank of x in [-1, 1] is its code.
struct Nf4 {
    static constexpr int kThresholds = nf4::kThresholds;
    static constexpr float kFirst = -1;                               // x of the first entry
    static constexpr uint32_t kLowest = 0, kZero = 7, kHighest = 15;  // codes
    static __device__ __forceinline__ float threshold(int i) { return nf4::threshold(i); }
    static __device__ __forceinline__ float position(float x) { return x; }
    static __device__ __forceinline__ uint32_t code(uint32_t rank, float) { return rank; }
};

// FP4: the rank of the magnitude, and the sign.
struct Fp4 {
    static constexpr int kThresholds = fp4::kThresholds;
    static constexpr float kFirst = 0;
    static constexpr uint32_t kLowest = 11, kZero = 0, kHighest = 3;
    static __device__ __forceinline__ float threshold(int i) { return fp4::threshold(i); }
    static __device__ __forceinline__ float position(float x) { return bits_float(float_bits(x) & kMagnitude); }
    static __device__ __forceinline__ uint32_t code(uint32_t rank, float x) {
        return fp4::magnitude_code(rank) | (x < 0 ? 8 : 0);
    }
};

template <class Levels>
__device__ __forceinline__ void stage_thresholds(Thresholds& table) {
    for (int i = int(threadIdx.x); i < Thresholds::kEntries; i += kQuantizeWarps * 32) {
        const float low = Levels::kFirst + (float(i) - 0.5f) / 16;
        const float high = Levels::kFirst + (float(i) + 0.5f) / 16;
        uint32_t rank = 0;
        float change = kInfinity;
#pragma unroll
        for (int t = 0; t < Levels::kThresholds; ++t) {
            const float threshold = Levels::threshold(t);
            if (threshold < low) ++rank;
            if (threshold > low && threshold < high) change = threshold;
        }
        table.change[i] = change;
        table.rank[i] = rank;
    }
}

// The code of x in [-1, 1]. The sum's last bits are x rounded to a sixteenth, nearest even; no threshold is a tie.
template <class Levels>
__device__ __forceinline__ uint32_t look_up(const Thresholds& table, float x) {
    const float position = Levels::position(x);
    const uint32_t entry = float_bits(fma_rn(position, 16.0f, 0x1p23f - 16.0f * Levels::kFirst)) & 63;
    return Levels::code(table.rank[entry] + (position > table.change[entry] ? 1 : 0), x);
}

// Eight consecutive elements in flat order, those behind the end 0. Vectors: w is dense, aligned, and ends with a run.
template <class T, bool Vectors>
__device__ __forceinline__ void load_run(const lk_matrix& w, int64_t first, float (&out)[kRun]) {
    const int64_t weights = w.rows * w.columns;
    if constexpr (Vectors) {
        load_vectors(static_cast<const T*>(w.data) + first, first < weights, out);
    } else {
#pragma unroll
        for (uint32_t i = 0; i < kRun; ++i) {
            const int64_t index = first + i;
            out[i] = 0;
            if (index < weights) out[i] = widen(row_of<const T>(w, index / w.columns)[index % w.columns]);
        }
    }
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

template <class Levels>
__device__ __forceinline__ uint32_t encode(const Thresholds& table, const float (&values)[kRun], float reciprocal) {
    if (is_finite(reciprocal)) {
        return codes_of(values, [&](float value) { return look_up<Levels>(table, mul_rn(value, reciprocal)); });
    }
    // bitsandbytes multiplies by the reciprocal, and that of a subnormal can be infinite.
    return codes_of(values, [](float value) {
        return value == 0 ? Levels::kZero : value > 0 ? Levels::kHighest : Levels::kLowest;
    });
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
template <class Levels, class T, bool Vectors, bool Wide>
__global__ void __launch_bounds__(kQuantizeWarps * 32)
    quantize_kernel(const __grid_constant__ lk_matrix w, uint32_t group_shift, uint8_t* codes, float* absmax) {
    LK_SHARED(Thresholds, table);
    stage_thresholds<Levels>(table);
    block_sync();
    const int64_t weights = w.rows * w.columns;
    const uint32_t group_size = 1u << group_shift;
    const uint32_t span = Wide ? group_size : kWarpElements;  // of a warp at a time
    const uint32_t lanes = Wide ? 32 : group_size / kRun;     // of a group
    const uint32_t lane = lane_id();
    const int64_t step = int64_t(gridDim.x) * kQuantizeWarps * span;
    for (int64_t item = (int64_t(blockIdx.x) * kQuantizeWarps + threadIdx.x / 32) * span; item < weights;
         item += step) {
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
            absmax[first >> group_shift] = is_finite(scale) ? scale : bits_float(kQuietNaN);
        }
        const float reciprocal = largest == 0 ? 0.0f : is_finite(scale) ? 1.0f / scale : kInfinity;
        if constexpr (Wide) {
            for (uint32_t done = 0; done < span; done += kWarpElements) {
                load_run<T, Vectors>(w, first + done, values);
                store_codes(codes, first + done, weights, encode<Levels>(table, values, reciprocal));
            }
        } else {
            store_codes(codes, first, weights, encode<Levels>(table, values, reciprocal));
        }
    }
}

}  // namespace

void quantize_groups(const Stream& stream, const lk_matrix& w, lk_format format, int64_t group_size, uint8_t* codes,
                     float* absmax) {
    const bool wide = group_size > kWarpElements;
    const int64_t items = divide_up(w.rows * w.columns, wide ? group_size : kWarpElements);
    const LaunchConfig config{
        .grid = grid_size(divide_up(items, kQuantizeWarps)), .block = kQuantizeWarps * 32, .stream = stream.handle()};
    const auto group_shift = uint32_t(std::countr_zero(uint64_t(group_size)));
    with_dtype(w.dtype, [&]<class T>(T*) {
        const auto launch_for = [&]<class Levels, bool Vectors>() {
            launch(wide ? quantize_kernel<Levels, T, Vectors, true> : quantize_kernel<Levels, T, Vectors, false>,
                   config, w, group_shift, codes, absmax);
        };
        const auto launch_levels = [&]<class Levels>() {
            has_flat_vectors(w) ? launch_for.template operator()<Levels, true>()
                                : launch_for.template operator()<Levels, false>();
        };
        format == LK_FORMAT_BNB_NF4 ? launch_levels.template operator()<Nf4>()
                                    : launch_levels.template operator()<Fp4>();
    });
}

}  // namespace lk::cuda
