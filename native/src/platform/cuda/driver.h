// The driver's functions. They come from the driver that is installed, if one is: the library loads without it.
#pragma once

#include <cstddef>
#include <string>

#include "lorakernels.h"
#include "platform/cuda/api.h"
#if defined(LK_EMULATED)
#include "platform/cuda_emulated/cuda_virtual_memory.h"
#endif

namespace lk::cuda {

// Only what the runtime has no call for. Signatures are those of CUDA 12.0, asked for by that version.
struct Driver {
    CUresult (*context_current)(CUcontext*);
    CUresult (*context_push)(CUcontext);
    CUresult (*context_pop)(CUcontext*);
    CUresult (*context_device)(CUdevice*);
    CUresult (*context_id)(CUcontext, unsigned long long*);
    CUresult (*primary_retain)(CUcontext*, CUdevice);
    CUresult (*primary_release)(CUdevice);
    CUresult (*device_name)(char*, int, CUdevice);
    CUresult (*device_memory)(size_t*, CUdevice);
    CUresult (*stream_context)(CUstream, CUcontext*);
    CUresult (*tensor_map_tiled)(CUtensorMap*, CUtensorMapDataType, cuuint32_t rank, void* address,
                                 const cuuint64_t* extents, const cuuint64_t* strides, const cuuint32_t* box,
                                 const cuuint32_t* element_strides, CUtensorMapInterleave, CUtensorMapSwizzle,
                                 CUtensorMapL2promotion, CUtensorMapFloatOOBfill);
    CUresult (*device_attribute)(int*, CUdevice_attribute, CUdevice);
    CUresult (*memory_granularity)(size_t*, const CUmemAllocationProp*, CUmemAllocationGranularity_flags);
    CUresult (*memory_create)(CUmemGenericAllocationHandle*, size_t bytes, const CUmemAllocationProp*,
                              unsigned long long flags);
    CUresult (*memory_release)(CUmemGenericAllocationHandle);
    CUresult (*address_reserve)(CUdeviceptr*, size_t bytes, size_t alignment, CUdeviceptr wanted,
                                unsigned long long flags);
    CUresult (*address_free)(CUdeviceptr, size_t bytes);
    CUresult (*memory_map)(CUdeviceptr, size_t bytes, size_t offset, CUmemGenericAllocationHandle,
                           unsigned long long flags);
    CUresult (*memory_unmap)(CUdeviceptr, size_t bytes);
    CUresult (*memory_set_access)(CUdeviceptr, size_t bytes, const CUmemAccessDesc*, size_t count);
};

// Throws where there is none: call only after visible_devices() > 0.
const Driver& driver();

// How many devices the driver offers. Where there are none: the status to fail with, and the reason for people.
int visible_devices(lk_status* status_if_none = nullptr, std::string* why_none = nullptr);

}  // namespace lk::cuda
