// The driver's calls for contexts, and its entry points by name.
#include <cstring>

#include "platform/cuda_emulated/call.h"
#include "platform/cuda_emulated/cuda_virtual_memory.h"

using namespace lk::emulated;

namespace {

template <class Function>
void* address_of(Function* function) {
    return reinterpret_cast<void*>(function);
}

struct EntryPoint {
    const char* name;
    void* address;
};

}  // namespace

CUresult cuCtxGetCurrent(CUcontext* context) {
    return driver_call([&](Machine&, std::vector<CUcontext>& stack) {
        *context = stack.empty() ? nullptr : stack.back();
        return CUDA_SUCCESS;
    });
}

CUresult cuCtxPushCurrent(CUcontext context) {
    return driver_call([&](Machine& machine, std::vector<CUcontext>& stack) {
        if (machine.contexts.find(context) == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
        stack.push_back(context);
        return CUDA_SUCCESS;
    });
}

CUresult cuCtxPopCurrent(CUcontext* context) {
    return driver_call([&](Machine&, std::vector<CUcontext>& stack) {
        if (stack.empty()) return CUDA_ERROR_INVALID_CONTEXT;
        *context = stack.back();
        stack.pop_back();
        return CUDA_SUCCESS;
    });
}

CUresult cuCtxGetDevice(CUdevice* device) {
    return driver_call([&](Machine& machine, std::vector<CUcontext>&) {
        const Context* const context = current_context(machine);
        if (context == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
        *device = context->device;
        return CUDA_SUCCESS;
    });
}

CUresult cuCtxGetId(CUcontext handle, unsigned long long* id) {
    return driver_call([&](Machine& machine, std::vector<CUcontext>&) {
        const Context* const context = machine.contexts.find(handle);
        if (context == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
        *id = context->id;
        return CUDA_SUCCESS;
    });
}

// The new context is current, as in CUDA.
CUresult cuCtxCreate(CUcontext* context, unsigned, CUdevice device) {
    return driver_call([&](Machine& machine, std::vector<CUcontext>& stack) {
        if (!is_device(machine, device)) return CUDA_ERROR_INVALID_DEVICE;
        *context = machine.create_context(device, false);
        stack.push_back(*context);
        return CUDA_SUCCESS;
    });
}

CUresult cuCtxDestroy(CUcontext context) {
    return driver_call([&](Machine& machine, std::vector<CUcontext>& stack) {
        const Context* const found = machine.contexts.find(context);
        if (found == nullptr || found->primary) return CUDA_ERROR_INVALID_CONTEXT;
        machine.destroy_context(context);
        if (!stack.empty() && stack.back() == context) stack.pop_back();
        return CUDA_SUCCESS;
    });
}

CUresult cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice device) {
    return driver_call([&](Machine& machine, std::vector<CUcontext>&) {
        if (!is_device(machine, device)) return CUDA_ERROR_INVALID_DEVICE;
        *context = machine.primary_context(device);
        ++machine.contexts.find(*context)->retained;
        return CUDA_SUCCESS;
    });
}

CUresult cuDevicePrimaryCtxRelease(CUdevice device) {
    return driver_call([&](Machine& machine, std::vector<CUcontext>&) {
        if (!is_device(machine, device)) return CUDA_ERROR_INVALID_DEVICE;
        const CUcontext handle = machine.primary_context(device);
        Context* const context = machine.contexts.find(handle);
        if (context->retained == 0) return CUDA_ERROR_INVALID_CONTEXT;
        if (--context->retained == 0) machine.destroy_context(handle);
        return CUDA_SUCCESS;
    });
}

CUresult cuStreamGetCtx(CUstream handle, CUcontext* context) {
    return driver_call([&](Machine& machine, std::vector<CUcontext>&) {
        const Stream* const stream = machine.streams.find(handle);
        if (stream == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        *context = stream->context->handle;
        return CUDA_SUCCESS;
    });
}

cudaError_t cudaGetDriverEntryPoint(const char* symbol, void** function, unsigned long long,
                                    cudaDriverEntryPointQueryResult* status) {
    static const EntryPoint entry_points[] = {
        {"cuCtxGetCurrent", address_of(cuCtxGetCurrent)},
        {"cuCtxPushCurrent", address_of(cuCtxPushCurrent)},
        {"cuCtxPopCurrent", address_of(cuCtxPopCurrent)},
        {"cuCtxGetDevice", address_of(cuCtxGetDevice)},
        {"cuCtxGetId", address_of(cuCtxGetId)},
        {"cuDevicePrimaryCtxRetain", address_of(cuDevicePrimaryCtxRetain)},
        {"cuDevicePrimaryCtxRelease", address_of(cuDevicePrimaryCtxRelease)},
        {"cuDeviceGetName", address_of(cuDeviceGetName)},
        {"cuDeviceTotalMem", address_of(cuDeviceTotalMem)},
        {"cuStreamGetCtx", address_of(cuStreamGetCtx)},
        {"cuTensorMapEncodeTiled", address_of(cuTensorMapEncodeTiled)},
        {"cuDeviceGetAttribute", address_of(cuDeviceGetAttribute)},
        {"cuMemGetAllocationGranularity", address_of(cuMemGetAllocationGranularity)},
        {"cuMemCreate", address_of(cuMemCreate)},
        {"cuMemRelease", address_of(cuMemRelease)},
        {"cuMemAddressReserve", address_of(cuMemAddressReserve)},
        {"cuMemAddressFree", address_of(cuMemAddressFree)},
        {"cuMemMap", address_of(cuMemMap)},
        {"cuMemUnmap", address_of(cuMemUnmap)},
        {"cuMemSetAccess", address_of(cuMemSetAccess)},
    };
    *function = nullptr;
    for (const EntryPoint& entry : entry_points) {
        if (std::strcmp(entry.name, symbol) == 0) *function = entry.address;
    }
    if (status != nullptr) {
        *status = *function == nullptr ? cudaDriverEntryPointSymbolNotFound : cudaDriverEntryPointSuccess;
    }
    return cudaSuccess;
}
