// How wgmma's operands lie in shared memory.
#pragma once

#include "conformance/swizzle.h"
#include "platform/cuda/wgmma.cuh"

namespace lk::conformance {

// How an operand of `rows` × k lies in shared memory. Swizzled: rows as long as the swizzle, 8 of them to a group of
// 8 · span bytes; the k of one row beyond 16 follow in the same row. Not swizzled: 8 rows × 16 bytes together, all of
// the rows, then the next 16 bytes of k.
struct OperandLayout {
    cuda::Swizzle swizzle;
    int swizzle_bits;
    int k;  // of a row, 16 or more

    // Of groups of 8 rows, and of neighbouring 16 bytes of k where no swizzle is.
    __host__ __device__ constexpr uint32_t stride_bytes() const {
        return swizzle == cuda::Swizzle::none ? 128u : 8u * static_cast<uint32_t>(k) * 2u;
    }
    __host__ __device__ constexpr uint32_t leading_bytes(int operand_rows) const {
        return swizzle == cuda::Swizzle::none ? static_cast<uint32_t>(operand_rows) * 16u : 16u;
    }
    // What a step of 16 along k adds to the start.
    __host__ __device__ constexpr uint32_t step_bytes(int operand_rows) const {
        return swizzle == cuda::Swizzle::none ? 2u * static_cast<uint32_t>(operand_rows) * 16u : 32u;
    }
    size_t offset(int row, int element, int operand_rows) const {
        const auto r = static_cast<size_t>(row);
        const auto e = static_cast<size_t>(element);
        if (swizzle == cuda::Swizzle::none) return e / 8 * static_cast<size_t>(operand_rows) * 16 + r * 16 + e % 8 * 2;
        return swizzled(r * static_cast<size_t>(k) * 2 + e * 2, swizzle_bits);
    }
};

template <int Mode>
__host__ __device__ constexpr OperandLayout layout_of() {
    if constexpr (Mode == 0) return {cuda::Swizzle::none, 0, 32};
    if constexpr (Mode == 1) return {cuda::Swizzle::b32, 1, 16};
    if constexpr (Mode == 2) return {cuda::Swizzle::b64, 2, 32};
    return {cuda::Swizzle::b128, 3, 64};
}

}  // namespace lk::conformance
