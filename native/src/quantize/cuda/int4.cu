// Groups of int4: the range first, then scale and zero point, then codes. A lane has eight consecutive elements: a word
// of codes.
#include <bit>

#include "core/dtype.h"
#include "core/memory.h"
#include "matmul/cuda/grid_size.h"
#include "platform/cuda/launch.h"
#include "quantize/cuda/quantize.h"
#include "quantize/cuda/runs.cuh"
#include "quantize/int4.h"

namespace lk::cuda {
namespace {

// The bits of the lowest and the highest value and 0, as integers of the same order; infinities and NaN come last.
// Without zero points only the largest magnitude, as the highest.
template <bool ZeroPoints>
struct Bounds {
    int32_t lowest = 0;
    int32_t highest = 0;

    static __device__ __forceinline__ int32_t ordered(int32_t bits) { return bits ^ (bits >> 31 & 0x7fffffff); }

    __device__ __forceinline__ void include(int32_t low, int32_t high) {
        if (ZeroPoints) lowest = low < lowest ? low : lowest;
        highest = high > highest ? high : highest;
    }
    __device__ __forceinline__ void include(const float (&values)[kRun]) {
#pragma unroll
        for (const float value : values) {
            const uint32_t bits = float_bits(value);
            const auto order = ZeroPoints ? ordered(int32_t(bits)) : int32_t(bits & kMagnitude);
            include(order, order);
        }
    }
    // What neighbouring lanes have found, a power of two of them.
    __device__ __forceinline__ void share(uint32_t lanes) {
#pragma unroll
        for (uint32_t bits = 1; bits < 32; bits *= 2) {
            const int32_t low = ZeroPoints ? shuffle_xor(lowest, bits) : 0;
            const int32_t high = shuffle_xor(highest, bits);
            if (bits < lanes) include(low, high);
        }
    }
    __device__ __forceinline__ bool finite() const {
        return highest < 0x7f800000 && lowest > ~0x7f800000;
    }
    __device__ __forceinline__ float scale() const {
        const float low = bits_float(uint32_t(ordered(lowest)));
        const float high = bits_float(uint32_t(highest));
        return ZeroPoints ? int4::asymmetric_scale(low, high) : int4::symmetric_scale(0, high);
    }
    __device__ __forceinline__ float zero(float scale) const {
        return ZeroPoints ? int4::zero(bits_float(uint32_t(ordered(lowest))), scale) : 0;
    }
};

// A group's scale as it is stored, and what codes are computed with.
template <bool ZeroPoints>
struct Group {
    float scale;
    float reciprocal;
    float zero;

    __device__ __forceinline__ Group(const Bounds<ZeroPoints>& bounds, lk_dtype dtype) {
        scale = bounds.scale();
        with_element_type(dtype, [&]<class S>(const S*) { scale = widen(round_to<S>(scale)); });
        if (scale == 0) scale = int4::epsilon(dtype);
        reciprocal = 1.0f / scale;
        zero = bounds.zero(scale);
    }

    // Where neither the reciprocal nor a remainder is subnormal or infinite.
    __device__ __forceinline__ bool moderate() const { return scale > 0x1p-60f && scale < 0x1p60f; }

    // value / scale, rounded once: after the first step the quotient is off by less than the distance of two floats,
    // and with a reciprocal that is rounded once the second step is exact (Markstein, "Computation of elementary
    // functions on the IBM RISC System/6000 processor", 1990, theorem 8).
    __device__ __forceinline__ float divide(float value) const {
        const float estimate = mul_rn(value, reciprocal);
        const float near = fma_rn(fma_rn(-estimate, scale, value), reciprocal, estimate);
        return fma_rn(fma_rn(-near, scale, value), reciprocal, near);
    }

    // Eight codes, the first one lowest: quotient(value) of each, and the zero, rounded to nearest even, -8 ... 7, plus
    // 8.
    template <class Quotient>
    __device__ __forceinline__ uint32_t codes_of(const float (&values)[kRun], const Quotient& quotient) const {
        constexpr float integers = 0x1.8p23f;  // a sum with it has an integer in its lowest bits
        constexpr int32_t middle = std::bit_cast<int32_t>(integers);
        uint32_t codes = 0;
#pragma unroll
        for (uint32_t i = 0; i < kRun; ++i) {
            const float code = ZeroPoints ? add_rn(quotient(values[i]), zero) : quotient(values[i]);
            auto bits = int32_t(float_bits(add_rn(code, integers)));
            bits = bits > middle - 8 ? bits : middle - 8;
            bits = bits < middle + 7 ? bits : middle + 7;
            codes += uint32_t(bits - (middle - 8)) << (i * 4);
        }
        return codes;
    }
    __device__ __forceinline__ uint32_t encode(const float (&values)[kRun]) const {
        if (moderate()) return codes_of(values, [&](float value) { return divide(value); });
        return codes_of(values, [&](float value) { return value / scale; });
    }

    // A group's number counts row by row. An element that is not finite shows as NaN.
    __device__ __forceinline__ void store(const Int4Tensors& out, int64_t index, bool finite) const {
        with_element_type(out.scale_dtype, [&]<class S>(const S*) {
            store_rounded(static_cast<S*>(out.scales) + index, finite ? scale : bits_float(kQuietNaN));
        });
        if (ZeroPoints) out.zeros[index] = static_cast<uint8_t>(int(zero) + 8);
    }
};

// Groups of 32, 64, 128 or 256 that follow each other in memory, whatever the rows are.
template <class T, bool ZeroPoints>
__global__ void __launch_bounds__(kQuantizeWarps * 32)
    int4_kernel(const __grid_constant__ lk_matrix w, uint32_t group_shift, const __grid_constant__ Int4Tensors out) {
    const int64_t weights = w.rows * w.columns;
    const uint32_t lanes = (1u << group_shift) / kRun;  // of a group
    const uint32_t lane = lane_id();
    const int64_t step = int64_t(gridDim.x) * kQuantizeWarps * kWarpElements;
    for (int64_t item = (int64_t(blockIdx.x) * kQuantizeWarps + threadIdx.x / 32) * kWarpElements; item < weights;
         item += step) {
        const int64_t first = item + lane * kRun;
        float values[kRun];
        load_vectors(static_cast<const T*>(w.data) + first, first < weights, values);
        Bounds<ZeroPoints> bounds;
        bounds.include(values);
        bounds.share(lanes);
        const Group<ZeroPoints> group(bounds, out.scale_dtype);
        if (first >= weights) continue;
        if (lane % lanes == 0) group.store(out, first >> group_shift, bounds.finite());
        out.codes[first / kRun] = group.encode(values);
    }
}

// Any groups: a warp each, which walks it twice. Vectors: rows are aligned.
template <class T, bool ZeroPoints, bool Vectors>
__global__ void __launch_bounds__(kQuantizeWarps * 32)
    int4_rows_kernel(const __grid_constant__ lk_matrix w, int64_t group_size, const __grid_constant__ Int4Tensors out) {
    const int64_t groups = (w.columns + group_size - 1) / group_size;
    const int64_t row_words = (w.columns + kRun - 1) / kRun;
    const int64_t step = int64_t(gridDim.x) * kQuantizeWarps;
    for (int64_t item = int64_t(blockIdx.x) * kQuantizeWarps + threadIdx.x / 32; item < w.rows * groups; item += step) {
        const int64_t row = item / groups;
        const int64_t begin = item % groups * group_size;
        const int64_t end = begin + group_size < w.columns ? begin + group_size : w.columns;
        const auto load = [&](int64_t first, float(&values)[kRun]) {
            const T* const place = row_of<const T>(w, row) + first;
            if constexpr (Vectors) {
                load_vectors(place, first < end, values);
            } else {
#pragma unroll
                for (uint32_t i = 0; i < kRun; ++i) {
                    values[i] = 0;
                    if (first + i < end) values[i] = widen(place[i]);
                }
            }
        };
        float values[kRun];
        Bounds<ZeroPoints> bounds;
        for (int64_t first = begin; first < end; first += kWarpElements) {
            load(first + lane_id() * kRun, values);
            bounds.include(values);
        }
        bounds.share(32);
        const Group<ZeroPoints> group(bounds, out.scale_dtype);
        if (lane_id() == 0) group.store(out, item, bounds.finite());
        for (int64_t first = begin + lane_id() * kRun; first < end; first += kWarpElements) {
            load(first, values);
            uint32_t codes = group.encode(values);
            // What is behind the last column is 0.
            if (end - first < kRun) codes &= (1u << uint32_t(end - first) * 4) - 1;
            out.codes[row * row_words + first / kRun] = codes;
        }
    }
}

}  // namespace

void quantize_int4(const Stream& stream, const lk_matrix& w, int64_t group_size, const Int4Tensors& out) {
    const bool flat = has_flat_vectors(w) && w.columns % int64_t(kRun) == 0 && w.columns % group_size == 0 &&
                      group_size <= kWarpElements && std::has_single_bit(uint64_t(group_size)) && group_size >= 32;
    const int64_t items =
        flat ? divide_up(w.rows * w.columns, kWarpElements) : w.rows * divide_up(w.columns, group_size);
    const LaunchConfig config{
        .grid = grid_size(divide_up(items, kQuantizeWarps)), .block = kQuantizeWarps * 32, .stream = stream.handle()};
    with_dtype(w.dtype, [&]<class T>(T*) {
        const auto launch_for = [&]<bool ZeroPoints>() {
            if (flat) {
                const auto group_shift = uint32_t(std::countr_zero(uint64_t(group_size)));
                launch(int4_kernel<T, ZeroPoints>, config, w, group_shift, out);
            } else {
                launch(
                    has_row_vectors(w) ? int4_rows_kernel<T, ZeroPoints, true> : int4_rows_kernel<T, ZeroPoints, false>,
                    config, w, group_size, out);
            }
        };
        out.zeros == nullptr ? launch_for.template operator()<false>() : launch_for.template operator()<true>();
    });
}

}  // namespace lk::cuda
