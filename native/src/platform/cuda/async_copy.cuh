// Copies from global to shared memory that a thread starts and waits for later (sm_80).
// 16 bytes go past L1 and ask for 128 bytes in L2; 4 and 8 bytes go through L1. Both addresses are aligned to Bytes.
#pragma once

#include "platform/cuda/cache_policy.cuh"
#include "platform/cuda/target.h"

namespace lk::cuda {

// Copies the first source_bytes (0 … Bytes) and fills the rest with zeros; with 0 the source is not read.
// PTX ISA 9.7.9.25.3.1 "cp.async".
template <int Bytes>
LK_DEVICE void cp_async_zero_fill(void* shared, const void* global, int source_bytes LK_SITE) {
    static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16);
#if defined(LK_EMULATED)
    emulated::cp_async_zero_fill<Bytes>(shared, global, source_bytes, site);
#else
    if constexpr (Bytes == 16) {
        asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;" ::"r"(shared_address(shared)),
                     "l"(global), "r"(source_bytes)
                     : "memory");
    } else {
        asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(shared_address(shared)), "l"(global),
                     "n"(Bytes), "r"(source_bytes)
                     : "memory");
    }
#endif
}

template <int Bytes>
LK_DEVICE void cp_async_zero_fill(void* shared, const void* global, int source_bytes, CachePolicy policy LK_SITE) {
    static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16);
#if defined(LK_EMULATED)
    static_cast<void>(policy);
    emulated::cp_async_zero_fill<Bytes>(shared, global, source_bytes, site);
#else
    if constexpr (Bytes == 16) {
        asm volatile(
            "cp.async.cg.shared.global.L2::cache_hint.L2::128B [%0], [%1], 16, %2, %3;" ::"r"(shared_address(shared)),
            "l"(global), "r"(source_bytes), "l"(policy.bits)
            : "memory");
    } else {
        asm volatile("cp.async.ca.shared.global.L2::cache_hint [%0], [%1], %2, %3, %4;" ::"r"(shared_address(shared)),
                     "l"(global), "n"(Bytes), "r"(source_bytes), "l"(policy.bits)
                     : "memory");
    }
#endif
}

// Copies Bytes (4, 8 or 16). PTX ISA 9.7.9.25.3.1 "cp.async".
template <int Bytes>
LK_DEVICE void cp_async(void* shared, const void* global LK_SITE) {
    static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16);
#if defined(LK_EMULATED)
    emulated::cp_async<Bytes>(shared, global, site);
#else
    if constexpr (Bytes == 16) {
        asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16;" ::"r"(shared_address(shared)), "l"(global)
                     : "memory");
    } else {
        asm volatile("cp.async.ca.shared.global [%0], [%1], %2;" ::"r"(shared_address(shared)), "l"(global), "n"(Bytes)
                     : "memory");
    }
#endif
}

template <int Bytes>
LK_DEVICE void cp_async(void* shared, const void* global, CachePolicy policy LK_SITE) {
    static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16);
#if defined(LK_EMULATED)
    static_cast<void>(policy);
    emulated::cp_async<Bytes>(shared, global, site);
#else
    if constexpr (Bytes == 16) {
        asm volatile(
            "cp.async.cg.shared.global.L2::cache_hint.L2::128B [%0], [%1], 16, %2;" ::"r"(shared_address(shared)),
            "l"(global), "l"(policy.bits)
            : "memory");
    } else {
        asm volatile("cp.async.ca.shared.global.L2::cache_hint [%0], [%1], %2, %3;" ::"r"(shared_address(shared)),
                     "l"(global), "n"(Bytes), "l"(policy.bits)
                     : "memory");
    }
#endif
}

// Closes this thread's group of copies; an empty group is complete at once. PTX ISA 9.7.9.25.3.2
// "cp.async.commit_group".
LK_DEVICE void cp_async_commit(LK_SITE_ONLY) {
#if defined(LK_EMULATED)
    emulated::cp_async_commit(site);
#else
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Waits until at most Pending of this thread's last groups are still under way. Only this thread then sees its copies;
// a barrier shows them to others. PTX ISA 9.7.9.25.3.3 "cp.async.wait_group".
template <int Pending>
LK_DEVICE void cp_async_wait(LK_SITE_ONLY) {
#if defined(LK_EMULATED)
    emulated::cp_async_wait<Pending>(site);
#else
    asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory");
#endif
}

// Arrives on the barrier once all copies that this thread has started are complete; the arrival counts among those
// that the barrier was made for. PTX ISA 9.7.13.15.15 "cp.async.mbarrier.arrive" (.noinc).
LK_DEVICE void cp_async_arrive(uint64_t* mbarrier LK_SITE) {
#if defined(LK_EMULATED)
    emulated::cp_async_arrive(mbarrier, site);
#else
    asm volatile("cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%0];" ::"r"(shared_address(mbarrier)) : "memory");
#endif
}

}  // namespace lk::cuda
