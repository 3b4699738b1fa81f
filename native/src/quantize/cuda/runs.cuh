// How kernels that quantize read weights: eight consecutive ones a lane.
#pragma once

#include "matmul/cuda/elements.cuh"
#include "platform/cuda/global_memory.cuh"
#include "platform/cuda/warp.cuh"

namespace lk::cuda {

inline constexpr int kQuantizeWarps = 8;
inline constexpr uint32_t kRun = 8;  // elements of a lane
inline constexpr uint32_t kWarpElements = 32 * kRun;
inline constexpr uint32_t kMagnitude = 0x7fffffffu;
inline constexpr uint32_t kQuietNaN = 0x7fc00000u;

// Eight elements that lie together, aligned to 16 bytes; zeros where they do not exist.
template <class T>
__device__ __forceinline__ void load_vectors(const T* first, bool exist, float (&out)[kRun]) {
    uint32_t words[kRun] = {};
    if (exist) {
        const auto* const from = reinterpret_cast<const uint4*>(first);
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

// Whether the rows' runs can be loaded so.
inline bool has_row_vectors(const lk_matrix& w) {
    return reinterpret_cast<uintptr_t>(w.data) % 16 == 0 && w.row_stride % int64_t(kRun) == 0 &&
           w.columns % int64_t(kRun) == 0;
}
// Whether the runs of the flat index can.
inline bool has_flat_vectors(const lk_matrix& w) {
    return reinterpret_cast<uintptr_t>(w.data) % 16 == 0 && (w.row_stride == w.columns || w.rows == 1) &&
           w.rows * w.columns % int64_t(kRun) == 0;
}

}  // namespace lk::cuda
