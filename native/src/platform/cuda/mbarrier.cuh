// Barriers in shared memory that threads and asynchronous copies arrive on (8 bytes, 8-byte aligned). A phase is
// complete when the expected arrivals have come and all expected bytes have landed; phases are told apart by parity,
// the first one having parity 0. Byte counts need sm_90 (LK_HAS_BULK_COPY), the rest sm_80.
// PTX ISA 9.7.13.15 "mbarrier".
#pragma once

#include "platform/cuda/target.h"

namespace lk::cuda {

// Makes a barrier whose phases take count arrivals. Others may use it after fence_mbarrier_init() and a block barrier.
// PTX ISA 9.7.13.15.9 "mbarrier.init".
LK_DEVICE void mbarrier_init(uint64_t* barrier, uint32_t count LK_SITE) {
#if defined(LK_EMULATED)
    emulated::mbarrier_init(barrier, count, site);
#else
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(count) : "memory");
#endif
}

// Ends a barrier, whose memory may then be used otherwise. PTX ISA 9.7.13.15.10 "mbarrier.inval".
LK_DEVICE void mbarrier_invalidate(uint64_t* barrier LK_SITE) {
#if defined(LK_EMULATED)
    emulated::mbarrier_invalidate(barrier, site);
#else
    asm volatile("mbarrier.inval.shared::cta.b64 [%0];" ::"r"(shared_address(barrier)) : "memory");
#endif
}

// Arrives (release). PTX ISA 9.7.13.15.13 "mbarrier.arrive".
LK_DEVICE void mbarrier_arrive(uint64_t* barrier LK_SITE) {
#if defined(LK_EMULATED)
    emulated::mbarrier_arrive(barrier, site);
#else
    asm volatile("{ .reg .b64 state; mbarrier.arrive.shared::cta.b64 state, [%0]; }" ::"r"(shared_address(barrier))
                 : "memory");
#endif
}

// Adds bytes that must land before the current phase completes. PTX ISA 9.7.13.15.11 "mbarrier.expect_tx".
LK_DEVICE void mbarrier_expect_tx(uint64_t* barrier, uint32_t bytes LK_SITE) {
#if defined(LK_EMULATED)
    emulated::mbarrier_expect_tx(barrier, bytes, site);
#else
    asm volatile("mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(bytes)
                 : "memory");
#endif
}

// Both in one: expects the bytes, then arrives. PTX ISA 9.7.13.15.13 "mbarrier.arrive" (.expect_tx).
LK_DEVICE void mbarrier_arrive_expect_tx(uint64_t* barrier, uint32_t bytes LK_SITE) {
#if defined(LK_EMULATED)
    emulated::mbarrier_arrive_expect_tx(barrier, bytes, site);
#else
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)), "r"(bytes)
                 : "memory");
#endif
}

// Whether the phase of this parity is complete (acquire). PTX ISA 9.7.13.15.16 "mbarrier.test_wait".
LK_DEVICE bool mbarrier_test(uint64_t* barrier, uint32_t parity LK_SITE) {
#if defined(LK_EMULATED)
    return emulated::mbarrier_test(barrier, parity, site);
#else
    uint32_t complete;
    asm volatile("{ .reg .pred p; mbarrier.test_wait.parity.shared::cta.b64 p, [%1], %2; selp.b32 %0, 1, 0, p; }"
                 : "=r"(complete)
                 : "r"(shared_address(barrier)), "r"(parity)
                 : "memory");
    return complete != 0;
#endif
}

// Waits until the phase of this parity is complete (acquire); on sm_90 the hardware suspends the thread for a while.
// PTX ISA 9.7.13.15.16 "mbarrier.try_wait".
LK_DEVICE void mbarrier_wait(uint64_t* barrier, uint32_t parity LK_SITE) {
#if defined(LK_EMULATED)
    emulated::mbarrier_wait(barrier, parity, site);
#elif LK_HAS_BULK_COPY
    uint32_t complete;
    do {
        asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.b32 %0, 1, 0, p; }"
                     : "=r"(complete)
                     : "r"(shared_address(barrier)), "r"(parity)
                     : "memory");
    } while (complete == 0);
#else
    while (!mbarrier_test(barrier, parity)) {
    }
#endif
}

}  // namespace lk::cuda
