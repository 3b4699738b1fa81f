// Shared memory by address. A lookup whose table lies at an address that the compiler knows costs no addition: the
// address is part of the instruction.
#pragma once

#include "platform/cuda/target.h"

namespace lk::cuda {

// Where that address is, for stores: a pointer into the launch's dynamic shared memory, which begins at `dynamic`.
// Nothing may lie in static shared memory, which comes first; the first KiB belongs to the system on sm_90.
template <uint32_t Address>
__device__ __forceinline__ char* shared_at(char* dynamic) {
    const uint32_t begin = shared_address(dynamic);
#if !defined(LK_EMULATED)
    if (begin > Address) unsupported_architecture();
#endif
    return dynamic + (Address - begin);
}

// The word `offset` bytes behind the address. PTX ISA 9.7.9.8 "ld.shared".
template <uint32_t Address>
__device__ __forceinline__ uint32_t load_shared_at(uint32_t offset) {
#if defined(LK_EMULATED)
    return *reinterpret_cast<const uint32_t*>(static_cast<const char*>(emulated::dynamic_shared()) + Address + offset);
#else
    uint32_t word;
    asm volatile("ld.shared.u32 %0, [%1 + %2];" : "=r"(word) : "r"(offset), "n"(Address));
    return word;
#endif
}

}  // namespace lk::cuda
