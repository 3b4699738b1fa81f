// Fences: what they order they order only together with a barrier, an atomic or an mbarrier that carries the news.
#pragma once

#include "platform/cuda/target.h"

namespace lk::cuda {

// After mbarrier_init and before the barrier that lets others use it: shows the new mbarrier to other threads and to
// the copy engine. PTX ISA 9.7.13.4 "fence" (.mbarrier_init, .proxy.async). Below sm_90 the barrier alone does.
LK_DEVICE void fence_mbarrier_init(LK_SITE_ONLY) {
#if defined(LK_EMULATED)
    emulated::fence_mbarrier_init(site);
#elif LK_HAS_BULK_COPY
    asm volatile("fence.mbarrier_init.release.cluster;\n\tfence.proxy.async.shared::cta;" ::: "memory");
#endif
}

// Between this thread's plain accesses to shared memory and those of the async proxy (bulk and tensor copies, wgmma).
// PTX ISA 9.7.13.4 "fence" (.proxy.async). There is no such proxy below sm_90.
LK_DEVICE void fence_proxy_async_shared(LK_SITE_ONLY) {
#if defined(LK_EMULATED)
    emulated::fence_proxy_async_shared(site);
#elif LK_HAS_BULK_COPY
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#endif
}

// The same for shared and global memory.
LK_DEVICE void fence_proxy_async(LK_SITE_ONLY) {
#if defined(LK_EMULATED)
    emulated::fence_proxy_async(site);
#elif LK_HAS_BULK_COPY
    asm volatile("fence.proxy.async;" ::: "memory");
#endif
}

// Orders this thread's accesses before and after it, for the threads of the block. PTX ISA 9.7.13.4 "fence".
LK_DEVICE void fence_block(LK_SITE_ONLY) {
#if defined(LK_EMULATED)
    emulated::fence_block(site);
#else
    asm volatile("fence.acq_rel.cta;" ::: "memory");
#endif
}

// The same for all threads of the device.
LK_DEVICE void fence_gpu(LK_SITE_ONLY) {
#if defined(LK_EMULATED)
    emulated::fence_gpu(site);
#else
    asm volatile("fence.acq_rel.gpu;" ::: "memory");
#endif
}

}  // namespace lk::cuda
