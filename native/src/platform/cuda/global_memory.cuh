// Loads and stores of global memory that tell the caches what will happen next.
// The atomics and flags of atomic.cuh come with it.
#pragma once

#include "platform/cuda/atomic.cuh"
#include "platform/cuda/cache_policy.cuh"
#include "platform/cuda/target.h"

namespace lk::cuda {

// Reads data that nobody writes while the kernel runs and that is not read again: kept out of L1. 16-byte loads ask
// for 128 bytes in L2. PTX ISA 9.7.9.9 "ld.global.nc".
LK_DEVICE uint4 load_nc(const uint4* address LK_SITE) {
#if defined(LK_EMULATED)
    return emulated::load_nc(address, site);
#else
    uint4 v;
    asm volatile("ld.global.nc.L1::no_allocate.L2::128B.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                 : "l"(address));
    return v;
#endif
}

LK_DEVICE uint4 load_nc(const uint4* address, CachePolicy policy LK_SITE) {
#if defined(LK_EMULATED)
    static_cast<void>(policy);
    return emulated::load_nc(address, site);
#else
    uint4 v;
    asm volatile("ld.global.nc.L1::no_allocate.L2::cache_hint.L2::128B.v4.u32 {%0, %1, %2, %3}, [%4], %5;"
                 : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                 : "l"(address), "l"(policy.bits));
    return v;
#endif
}

LK_DEVICE uint2 load_nc(const uint2* address LK_SITE) {
#if defined(LK_EMULATED)
    return emulated::load_nc(address, site);
#else
    uint2 v;
    asm volatile("ld.global.nc.L1::no_allocate.v2.u32 {%0, %1}, [%2];" : "=r"(v.x), "=r"(v.y) : "l"(address));
    return v;
#endif
}

LK_DEVICE uint2 load_nc(const uint2* address, CachePolicy policy LK_SITE) {
#if defined(LK_EMULATED)
    static_cast<void>(policy);
    return emulated::load_nc(address, site);
#else
    uint2 v;
    asm volatile("ld.global.nc.L1::no_allocate.L2::cache_hint.v2.u32 {%0, %1}, [%2], %3;"
                 : "=r"(v.x), "=r"(v.y)
                 : "l"(address), "l"(policy.bits));
    return v;
#endif
}

LK_DEVICE uint32_t load_nc(const uint32_t* address LK_SITE) {
#if defined(LK_EMULATED)
    return emulated::load_nc(address, site);
#else
    uint32_t v;
    asm volatile("ld.global.nc.L1::no_allocate.u32 %0, [%1];" : "=r"(v) : "l"(address));
    return v;
#endif
}

LK_DEVICE uint32_t load_nc(const uint32_t* address, CachePolicy policy LK_SITE) {
#if defined(LK_EMULATED)
    static_cast<void>(policy);
    return emulated::load_nc(address, site);
#else
    uint32_t v;
    asm volatile("ld.global.nc.L1::no_allocate.L2::cache_hint.u32 %0, [%1], %2;"
                 : "=r"(v)
                 : "l"(address), "l"(policy.bits));
    return v;
#endif
}

// Writes data that this kernel will not read again: the first to leave the caches. PTX ISA 9.7.9.11 "st" (.cs).
template <class V>
LK_DEVICE void store_streaming(V* address, V value LK_SITE) {
#if defined(LK_EMULATED)
    emulated::store_streaming(address, value, site);
#else
    __stcs(address, value);
#endif
}

}  // namespace lk::cuda
