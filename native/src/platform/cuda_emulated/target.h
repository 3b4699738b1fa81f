// CUDA's spellings for kernels that the host's compiler compiles for the emulated device.
#pragma once

#include <cstddef>
#include <cstdint>

#include "platform/cuda_emulated/site.h"
#include "platform/cuda_emulated/vector_types.h"

#define __global__
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(bytes) alignas(bytes)

// A function of the arch layer.
#define LK_DEVICE LK_UNWATCHED inline
#define LK_SITE , lk::emulated::Site site = lk::emulated::Site::current()
#define LK_SITE_ONLY lk::emulated::Site site = lk::emulated::Site::current()

// Each variable of static shared memory is known by the address of a constant of its own.
#define LK_SHARED(type, name)         \
    static const char name##_key = 0; \
    auto& name = *static_cast<type*>(lk::emulated::static_shared(&name##_key, sizeof(type), alignof(type)))
#define LK_DYNAMIC_SHARED(type, name) type* const name = static_cast<type*>(lk::emulated::dynamic_shared())

namespace lk::emulated {

uint3 thread_index();
uint3 block_index();
dim3 block_extent();
dim3 grid_extent();

void* static_shared(const void* key, size_t bytes, size_t alignment);
void* dynamic_shared();

// The 32-bit address within the window of the block's shared memory.
uint32_t shared_address(const void* pointer);

}  // namespace lk::emulated

// One of threadIdx and its like: each coordinate asks the device. Objects and not macros, since structures of the CUDA
// runtime have members of these names. In no namespace, so that
// they bring no functions along as arguments.
template <auto Ask>
struct CudaCoordinates {
    struct X {
        LK_UNWATCHED operator unsigned() const { return Ask().x; }
    };
    struct Y {
        LK_UNWATCHED operator unsigned() const { return Ask().y; }
    };
    struct Z {
        LK_UNWATCHED operator unsigned() const { return Ask().z; }
    };
    [[no_unique_address]] X x;
    [[no_unique_address]] Y y;
    [[no_unique_address]] Z z;
};

inline constexpr CudaCoordinates<lk::emulated::thread_index> threadIdx;
inline constexpr CudaCoordinates<lk::emulated::block_index> blockIdx;
inline constexpr CudaCoordinates<lk::emulated::block_extent> blockDim;
inline constexpr CudaCoordinates<lk::emulated::grid_extent> gridDim;
