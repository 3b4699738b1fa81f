// Atomics of device scope, and the loads, stores and waits that pass data between blocks.
#pragma once

#include "platform/cuda/target.h"

namespace lk::cuda {

// Relaxed: atomic, but ordering nothing else. Global or shared memory; they return the value before.
// PTX ISA 9.7.13.5 "atom".
template <class T>
LK_DEVICE T atomic_add(T* address, T value LK_SITE) {
#if defined(LK_EMULATED)
    return emulated::atomic_add(address, value, site);
#else
    return atomicAdd(address, value);
#endif
}

template <class T>
LK_DEVICE T atomic_max(T* address, T value LK_SITE) {
#if defined(LK_EMULATED)
    return emulated::atomic_max(address, value, site);
#else
    return atomicMax(address, value);
#endif
}

template <class T>
LK_DEVICE T atomic_exchange(T* address, T value LK_SITE) {
#if defined(LK_EMULATED)
    return emulated::atomic_exchange(address, value, site);
#else
    return atomicExch(address, value);
#endif
}

template <class T>
LK_DEVICE T atomic_cas(T* address, T expected, T desired LK_SITE) {
#if defined(LK_EMULATED)
    return emulated::atomic_cas(address, expected, desired, site);
#else
    return atomicCAS(address, expected, desired);
#endif
}

// Acquires what the threads that came before have released, and releases what this thread has done: the counter of
// "the last block to arrive finishes the sum". PTX ISA 9.7.13.5 "atom" (.acq_rel).
LK_DEVICE uint32_t atomic_add_acq_rel(uint32_t* address, uint32_t value LK_SITE) {
#if defined(LK_EMULATED)
    return emulated::atomic_add_acq_rel(address, value, site);
#else
    uint32_t before;
    asm volatile("atom.acq_rel.gpu.global.add.u32 %0, [%1], %2;" : "=r"(before) : "l"(address), "r"(value) : "memory");
    return before;
#endif
}

// Adds without returning; relaxed. Sums of floats depend on the order of arrival, and in global memory their subnormals
// are flushed to zero. PTX ISA 9.7.13.6 "red".
LK_DEVICE void red_add(float* address, float value LK_SITE) {
#if defined(LK_EMULATED)
    emulated::red_add(address, value, site);
#else
    asm volatile("red.relaxed.gpu.global.add.f32 [%0], %1;" ::"l"(address), "f"(value) : "memory");
#endif
}

LK_DEVICE void red_add(uint32_t* address, uint32_t value LK_SITE) {
#if defined(LK_EMULATED)
    emulated::red_add(address, value, site);
#else
    asm volatile("red.relaxed.gpu.global.add.u32 [%0], %1;" ::"l"(address), "r"(value) : "memory");
#endif
}

// Reads a flag, and then sees all that its writer did before store_release. PTX ISA 9.7.9.8 "ld" (.acquire).
LK_DEVICE uint32_t load_acquire(const uint32_t* address LK_SITE) {
#if defined(LK_EMULATED)
    return emulated::load_acquire(address, site);
#else
    uint32_t value;
    asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(value) : "l"(address) : "memory");
    return value;
#endif
}

// PTX ISA 9.7.9.11 "st" (.release).
LK_DEVICE void store_release(uint32_t* address, uint32_t value LK_SITE) {
#if defined(LK_EMULATED)
    emulated::store_release(address, value, site);
#else
    asm volatile("st.release.gpu.global.u32 [%0], %1;" ::"l"(address), "r"(value) : "memory");
#endif
}

// Waits for a flag that a block which is already running will set (acquire). PTX ISA 9.7.9.8 "ld" (.acquire).
LK_DEVICE void wait_until_equal(const uint32_t* address, uint32_t value LK_SITE) {
#if defined(LK_EMULATED)
    emulated::wait_until_equal(address, value, site);
#else
    while (load_acquire(address) != value) {
    }
#endif
}

}  // namespace lk::cuda
