// Copies of boxes of a tensor by the copy engine of sm_90 (LK_HAS_BULK_COPY). The tensor map, made on the host, holds
// the tensor's sizes and strides, the box and the swizzle; kernels take it as `const __grid_constant__ TensorMap`.
// Coordinates are in elements, the fastest dimension first. What a box has outside the tensor arrives as zeros, counts
// among the bytes that the mbarrier expects, and is left out of stores. Boxes in shared memory are 128-byte aligned,
// 1024 with 128-byte swizzle. Completion and proxy are those of bulk_copy.cuh.
#pragma once

#include "platform/cuda/bulk_copy.cuh"
#include "platform/cuda/cache_policy.cuh"
#include "platform/cuda/target.h"

namespace lk::cuda {

// Copies a box to shared memory. PTX ISA 9.7.9.27.1.2 "cp.async.bulk.tensor".
LK_DEVICE void tensor_load_2d(void* shared, const TensorMap* map, uint64_t* mbarrier, int c0, int c1 LK_SITE) {
#if defined(LK_EMULATED)
    emulated::tensor_load_2d(shared, map, mbarrier, c0, c1, site);
#else
    asm volatile(
        "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes "
        "[%0], [%1, {%2, %3}], [%4];" ::"r"(shared_address(shared)),
        "l"(map), "r"(c0), "r"(c1), "r"(shared_address(mbarrier))
        : "memory");
#endif
}

LK_DEVICE void tensor_load_2d(void* shared, const TensorMap* map, uint64_t* mbarrier, int c0, int c1,
                              CachePolicy policy LK_SITE) {
#if defined(LK_EMULATED)
    static_cast<void>(policy);
    emulated::tensor_load_2d(shared, map, mbarrier, c0, c1, site);
#else
    asm volatile(
        "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.L2::cache_hint "
        "[%0], [%1, {%2, %3}], [%4], %5;" ::"r"(shared_address(shared)),
        "l"(map), "r"(c0), "r"(c1), "r"(shared_address(mbarrier)), "l"(policy.bits)
        : "memory");
#endif
}

LK_DEVICE void tensor_load_3d(void* shared, const TensorMap* map, uint64_t* mbarrier, int c0, int c1, int c2 LK_SITE) {
#if defined(LK_EMULATED)
    emulated::tensor_load_3d(shared, map, mbarrier, c0, c1, c2, site);
#else
    asm volatile(
        "cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes "
        "[%0], [%1, {%2, %3, %4}], [%5];" ::"r"(shared_address(shared)),
        "l"(map), "r"(c0), "r"(c1), "r"(c2), "r"(shared_address(mbarrier))
        : "memory");
#endif
}

LK_DEVICE void tensor_load_3d(void* shared, const TensorMap* map, uint64_t* mbarrier, int c0, int c1, int c2,
                              CachePolicy policy LK_SITE) {
#if defined(LK_EMULATED)
    static_cast<void>(policy);
    emulated::tensor_load_3d(shared, map, mbarrier, c0, c1, c2, site);
#else
    asm volatile(
        "cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.L2::cache_hint "
        "[%0], [%1, {%2, %3, %4}], [%5], %6;" ::"r"(shared_address(shared)),
        "l"(map), "r"(c0), "r"(c1), "r"(c2), "r"(shared_address(mbarrier)), "l"(policy.bits)
        : "memory");
#endif
}

// Copies a box from shared to global memory, in the thread's bulk group. PTX ISA 9.7.9.27.1.2 "cp.async.bulk.tensor".
LK_DEVICE void tensor_store_2d(const TensorMap* map, const void* shared, int c0, int c1 LK_SITE) {
#if defined(LK_EMULATED)
    emulated::tensor_store_2d(map, shared, c0, c1, site);
#else
    asm volatile("cp.async.bulk.tensor.2d.global.shared::cta.tile.bulk_group [%0, {%2, %3}], [%1];" ::"l"(map),
                 "r"(shared_address(shared)), "r"(c0), "r"(c1)
                 : "memory");
#endif
}

// Fetches the map itself ahead of its first use. PTX ISA 9.7.9.15 "prefetch" (.tensormap).
LK_DEVICE void tensor_map_prefetch(const TensorMap* map LK_SITE) {
#if defined(LK_EMULATED)
    emulated::tensor_map_prefetch(map, site);
#else
    asm volatile("prefetch.tensormap [%0];" ::"l"(map) : "memory");
#endif
}

}  // namespace lk::cuda
