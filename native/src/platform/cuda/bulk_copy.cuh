// Copies by the copy engine of sm_90 (LK_HAS_BULK_COPY): one thread starts them, whole blocks of memory move.
// Sizes and addresses are multiples of 16 bytes. Loads complete on an mbarrier that expects their bytes; stores
// complete in the starting thread's bulk groups. All of them read and write through the async proxy: see fence.cuh.
#pragma once

#include "platform/cuda/cache_policy.cuh"
#include "platform/cuda/target.h"

namespace lk::cuda {

// Copies bytes to shared memory. PTX ISA 9.7.9.25.4.1 "cp.async.bulk".
LK_DEVICE void bulk_load(void* shared, const void* global, uint32_t bytes, uint64_t* mbarrier LK_SITE) {
#if defined(LK_EMULATED)
    emulated::bulk_load(shared, global, bytes, mbarrier, site);
#else
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(
                     shared_address(shared)),
                 "l"(global), "r"(bytes), "r"(shared_address(mbarrier))
                 : "memory");
#endif
}

LK_DEVICE void bulk_load(void* shared, const void* global, uint32_t bytes, uint64_t* mbarrier,
                         CachePolicy policy LK_SITE) {
#if defined(LK_EMULATED)
    static_cast<void>(policy);
    emulated::bulk_load(shared, global, bytes, mbarrier, site);
#else
    asm volatile(
        "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint "
        "[%0], [%1], %2, [%3], %4;" ::"r"(shared_address(shared)),
        "l"(global), "r"(bytes), "r"(shared_address(mbarrier)), "l"(policy.bits)
        : "memory");
#endif
}

// Copies bytes from shared to global memory. PTX ISA 9.7.9.25.4.1 "cp.async.bulk".
LK_DEVICE void bulk_store(void* global, const void* shared, uint32_t bytes LK_SITE) {
#if defined(LK_EMULATED)
    emulated::bulk_store(global, shared, bytes, site);
#else
    asm volatile("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;" ::"l"(global),
                 "r"(shared_address(shared)), "r"(bytes)
                 : "memory");
#endif
}

// Closes this thread's group of stores. PTX ISA 9.7.9.27.2.1 "cp.async.bulk.commit_group".
LK_DEVICE void bulk_commit(LK_SITE_ONLY) {
#if defined(LK_EMULATED)
    emulated::bulk_commit(site);
#else
    asm volatile("cp.async.bulk.commit_group;" ::: "memory");
#endif
}

// Waits until at most Pending of this thread's last groups of stores are under way. PTX ISA 9.7.9.27.2.2
// "cp.async.bulk.wait_group".
template <int Pending>
LK_DEVICE void bulk_wait(LK_SITE_ONLY) {
#if defined(LK_EMULATED)
    emulated::bulk_wait<Pending>(site);
#else
    asm volatile("cp.async.bulk.wait_group %0;" ::"n"(Pending) : "memory");
#endif
}

// The same, but only until the stores have read shared memory, which may then be written again.
template <int Pending>
LK_DEVICE void bulk_wait_read(LK_SITE_ONLY) {
#if defined(LK_EMULATED)
    emulated::bulk_wait_read<Pending>(site);
#else
    asm volatile("cp.async.bulk.wait_group.read %0;" ::"n"(Pending) : "memory");
#endif
}

// Asks for bytes in L2. PTX ISA 9.7.9.25.4.3 "cp.async.bulk.prefetch".
LK_DEVICE void bulk_prefetch(const void* global, uint32_t bytes LK_SITE) {
#if defined(LK_EMULATED)
    emulated::bulk_prefetch(global, bytes, site);
#else
    asm volatile("cp.async.bulk.prefetch.L2.global [%0], %1;" ::"l"(global), "r"(bytes) : "memory");
#endif
}

}  // namespace lk::cuda
