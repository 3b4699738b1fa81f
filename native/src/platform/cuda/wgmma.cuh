// Tensor-core products of a warpgroup (four warps), which run on their own while the warps go on (sm_90a,
// LK_HAS_WGMMA). The order of calls: wgmma_fence, any number of wgmma_m64k16, wgmma_commit, wgmma_wait; until the wait
// the accumulators, the registers of A and the shared memory of A and B must be left alone. Operands in shared memory
// are read through the async proxy: after plain stores fence_proxy_async_shared() and a barrier come first.
#pragma once

#include <type_traits>

#include "platform/cuda/target.h"
#if !defined(LK_EMULATED)
#include "platform/cuda/wgmma_shapes.cuh"
#endif

namespace lk::cuda {

// How the 16-byte chunks of rows are permuted within shared memory: bits 4… of an address are xored with bits 7….
enum class Swizzle { none, b32, b64, b128 };

// Describes a K-major operand in shared memory (rows of k, 8 rows to a group). Swizzled: rows are as long as the
// swizzle (32, 64, 128 bytes), groups of 8 rows stride_bytes apart, leading_bytes is not used; 16 elements further
// along k are the address + 32. Not swizzled: 8 rows × 16 bytes lie together, neighbours along k leading_bytes and
// groups of 8 rows stride_bytes apart. PTX ISA 9.7.15.5.1.2.2 "Matrix Descriptor Format".
LK_DEVICE uint64_t shared_descriptor(const void* shared, Swizzle swizzle, uint32_t leading_bytes,
                                     uint32_t stride_bytes) {
    uint64_t mode = 0;
    if (swizzle == Swizzle::b128) mode = 1;
    if (swizzle == Swizzle::b64) mode = 2;
    if (swizzle == Swizzle::b32) mode = 3;
    const uint64_t address = (shared_address(shared) & 0x3ffffu) >> 4;
    return address | uint64_t(leading_bytes >> 4) << 16 | uint64_t(stride_bytes >> 4) << 32 | mode << 62;
}

// Before the first product and after any change of the accumulators or of A in registers.
// PTX ISA 9.7.15.7.1 "wgmma.fence".
LK_DEVICE void wgmma_fence(LK_SITE_ONLY) {
#if defined(LK_EMULATED)
    emulated::wgmma_fence(site);
#else
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#endif
}

// Closes a group of products. PTX ISA 9.7.15.7.2 "wgmma.commit_group".
LK_DEVICE void wgmma_commit(LK_SITE_ONLY) {
#if defined(LK_EMULATED)
    emulated::wgmma_commit(site);
#else
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
#endif
}

// Waits until at most Pending of the last groups are under way. PTX ISA 9.7.15.7.3 "wgmma.wait_group".
template <int Pending>
LK_DEVICE void wgmma_wait(LK_SITE_ONLY) {
#if defined(LK_EMULATED)
    emulated::wgmma_wait<Pending>(site);
#else
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(Pending) : "memory");
#endif
}

// Keeps the compiler from moving uses of the accumulators over it: a wait orders memory, not registers. Put it after
// the wait and before the accumulators are read.
template <int Count>
LK_DEVICE void wgmma_pin(float (&d)[Count]) {
#if defined(LK_EMULATED)
    static_cast<void>(d);
#else
#pragma unroll
    for (int i = 0; i < Count; ++i) asm volatile("" : "+f"(d[i])::"memory");
#endif
}

// d = A·Bᵀ, plus d if accumulate: A is 64×16, B is N×16, both K-major in shared memory. Lane 4g + t of warp w holds in
// d[4j + e] row 16w + g + 8·(e / 2) and column 8j + 2t + e % 2. PTX ISA 9.7.15.5.2 "wgmma.mma_async".
template <class T, int N>
LK_DEVICE void wgmma_m64k16(float (&d)[N / 2], uint64_t a_descriptor, uint64_t b_descriptor, bool accumulate LK_SITE) {
    static_assert(std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>);
    static_assert(N == 8 || N == 16 || N == 32 || N == 64 || N == 128 || N == 256);
#if defined(LK_EMULATED)
    emulated::wgmma_m64k16<T, N>(d, a_descriptor, b_descriptor, accumulate, site);
#else
    if constexpr (std::is_same_v<T, Half>) {
        LK_WGMMA_SHARED_A_SHAPES("f16")
    } else {
        LK_WGMMA_SHARED_A_SHAPES("bf16")
    }
#endif
}

// The same with A in registers: warp w gives rows 16w … 16w+15, laid out as the A of mma_m16n8k16.
template <class T, int N>
LK_DEVICE void wgmma_m64k16(float (&d)[N / 2], const uint32_t (&a)[4], uint64_t b_descriptor, bool accumulate LK_SITE) {
    static_assert(std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>);
    static_assert(N == 8 || N == 16 || N == 32 || N == 64 || N == 128 || N == 256);
#if defined(LK_EMULATED)
    emulated::wgmma_m64k16<T, N>(d, a, b_descriptor, accumulate, site);
#else
    if constexpr (std::is_same_v<T, Half>) {
        LK_WGMMA_REGISTER_A_SHAPES("f16")
    } else {
        LK_WGMMA_REGISTER_A_SHAPES("bf16")
    }
#endif
}

}  // namespace lk::cuda
