// What a kernel unit compiles for: a GPU (CUDA compiler) or the emulated device (host compiler, LK_EMULATED defined).
// Every header of the arch layer includes this one. The layer holds each hardware instruction that kernels use behind
// a named device function with two bodies: PTX, and a call of the emulated device's function of the same name.
// Section numbers in comments are those of the PTX ISA 9.1 document; other editions keep the titles.
#pragma once

#include <cstdint>

#include "core/numeric.h"

#if defined(LK_EMULATED)

#include "platform/cuda_emulated/primitives.h"
#include "platform/cuda_emulated/target.h"

#else

#include <cuda.h>
#include <cuda_runtime.h>

// A function of the arch layer. Kernels' own helpers are `__device__ __forceinline__`: on the emulated device their
// loads and stores are watched, those of the arch layer are reported by the layer itself.
#define LK_DEVICE __device__ __forceinline__

// The last parameter of arch functions: where the kernel called, for the emulated device's reports. Nothing on a GPU.
#define LK_SITE
#define LK_SITE_ONLY

// A variable in static shared memory, and a pointer to the launch's dynamic shared memory (1024-byte aligned, as
// tensor copies with 128-byte swizzle need it).
#define LK_SHARED(type, name) __shared__ type name
#define LK_DYNAMIC_SHARED(type, name)                                      \
    extern __shared__ __align__(1024) unsigned char name##_shared_bytes[]; \
    type* const name = reinterpret_cast<type*>(name##_shared_bytes)

#endif

// What the architecture under compilation has. A kernel that needs more than sm_80 puts its body under one of these
// and calls unsupported_architecture() otherwise; the host's pass and the emulated device have everything.
//   LK_HAS_BULK_COPY   sm_90: bulk and tensor copies, transaction counts of mbarriers
//   LK_HAS_WGMMA       sm_90a: wgmma and setmaxnreg
#if defined(LK_EMULATED) || !defined(__CUDA_ARCH__)
#define LK_HAS_BULK_COPY 1
#define LK_HAS_WGMMA 1
#else
#if __CUDA_ARCH__ >= 900
#define LK_HAS_BULK_COPY 1
#else
#define LK_HAS_BULK_COPY 0
#endif
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define LK_HAS_WGMMA 1
#else
#define LK_HAS_WGMMA 0
#endif
#endif

namespace lk::cuda {

#if defined(LK_EMULATED)
using emulated::shared_address;
using TensorMap = emulated::TensorMap;
#else

using TensorMap = CUtensorMap;

// Kernels use generic pointers; instructions on shared memory take 32-bit addresses of its window.
// PTX ISA 9.7.9.20 "cvta".
LK_DEVICE uint32_t shared_address(const void* pointer) {
    return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}

// A kernel built for an architecture that lacks what it needs: the launch fails instead of computing nothing.
// PTX ISA 9.7.19.4 "trap".
LK_DEVICE void unsupported_architecture() {
    __trap();
}

#endif

}  // namespace lk::cuda
