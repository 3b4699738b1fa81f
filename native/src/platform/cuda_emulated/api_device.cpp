// Errors, devices and their attributes.
#include <cstdio>
#include <cstring>

#include "platform/cuda_emulated/architecture.h"
#include "platform/cuda_emulated/call.h"
#include "platform/cuda_emulated/cuda_virtual_memory.h"

using namespace lk::emulated;

namespace {

struct ErrorName {
    cudaError_t error;
    const char* name;
    const char* text;
};

constexpr ErrorName kErrors[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInitializationError, "cudaErrorInitializationError", "initialization error"},
    {cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration", "invalid configuration argument"},
    {cudaErrorInsufficientDriver, "cudaErrorInsufficientDriver",
     "CUDA driver version is insufficient for CUDA runtime version"},
    {cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorDeviceUninitialized, "cudaErrorDeviceUninitialized",
     "invalid device context (no context is current; CUDA would take the primary context of device 0)"},
    {cudaErrorNoKernelImageForDevice, "cudaErrorNoKernelImageForDevice",
     "no kernel image is available for execution on the device"},
    {cudaErrorECCUncorrectable, "cudaErrorECCUncorrectable", "uncorrectable ECC error encountered"},
    {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {cudaErrorIllegalState, "cudaErrorIllegalState", "the operation cannot be performed in the present state"},
    {cudaErrorSymbolNotFound, "cudaErrorSymbolNotFound", "named symbol not found"},
    {cudaErrorNotReady, "cudaErrorNotReady", "device not ready"},
    {cudaErrorIllegalAddress, "cudaErrorIllegalAddress", "an illegal memory access was encountered"},
    {cudaErrorContextIsDestroyed, "cudaErrorContextIsDestroyed", "context is destroyed"},
    {cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "unspecified launch failure"},
    {cudaErrorNotSupported, "cudaErrorNotSupported", "operation not supported"},
    {cudaErrorStreamCaptureUnsupported, "cudaErrorStreamCaptureUnsupported",
     "operation not permitted when stream is capturing"},
    {cudaErrorStreamCaptureInvalidated, "cudaErrorStreamCaptureInvalidated",
     "operation failed due to a previous error during capture"},
    {cudaErrorStreamCaptureMerge, "cudaErrorStreamCaptureMerge",
     "operation would result in a merge of separate capture sequences"},
    {cudaErrorStreamCaptureUnmatched, "cudaErrorStreamCaptureUnmatched", "capture was not ended in the same stream"},
    {cudaErrorStreamCaptureUnjoined, "cudaErrorStreamCaptureUnjoined", "capturing stream has unjoined work"},
    {cudaErrorStreamCaptureIsolation, "cudaErrorStreamCaptureIsolation",
     "dependency created on uncaptured work in another stream"},
    {cudaErrorCapturedEvent, "cudaErrorCapturedEvent",
     "operation not permitted on an event last recorded in a "
     "capturing stream"},
    {cudaErrorStreamCaptureWrongThread, "cudaErrorStreamCaptureWrongThread",
     "attempt to terminate a thread-local capture sequence from another thread"},
};

const ErrorName* find_error(cudaError_t error) {
    for (const ErrorName& entry : kErrors) {
        if (entry.error == error) return &entry;
    }
    return nullptr;
}

// -1 for one that this device does not have.
int attribute_of(const lk_emulated_options& settings, cudaDeviceAttr attribute) {
    const Multiprocessor multiprocessor = multiprocessor_of(settings.architecture);
    switch (attribute) {
        case cudaDevAttrMaxThreadsPerBlock:
            return kMaxBlockThreads;
        case cudaDevAttrMaxSharedMemoryPerBlock:
            return kDefaultSharedBytes;
        case cudaDevAttrWarpSize:
            return 32;
        case cudaDevAttrMultiProcessorCount:
            return settings.multiprocessors;
        case cudaDevAttrL2CacheSize:
            return 32 << 20;
        case cudaDevAttrMaxThreadsPerMultiProcessor:
            return multiprocessor.threads;
        case cudaDevAttrComputeCapabilityMajor:
            return settings.architecture / 10;
        case cudaDevAttrComputeCapabilityMinor:
            return settings.architecture % 10;
        case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
            return multiprocessor.shared_bytes;
        case cudaDevAttrMaxSharedMemoryPerBlockOptin:
            return max_shared_bytes_of_block(settings.architecture);
        case cudaDevAttrReservedSharedMemoryPerBlock:
            return kReservedSharedBytes;
    }
    return -1;
}

}  // namespace

cudaError_t cudaGetLastError() {
    const cudaError_t error = cudaPeekAtLastError();
    Machine::thread().last_error = cudaSuccess;
    return error;
}

cudaError_t cudaPeekAtLastError() {
    Machine& machine = Machine::instance();
    const std::lock_guard lock(machine.mutex);
    const Context* const context = current_context(machine);
    if (context != nullptr && context->error != cudaSuccess) return context->error;
    return Machine::thread().last_error;
}

const char* cudaGetErrorName(cudaError_t error) {
    const ErrorName* const entry = find_error(error);
    return entry == nullptr ? "unrecognized error code" : entry->name;
}

// The text stays valid until this thread asks for the next one.
const char* cudaGetErrorString(cudaError_t error) {
    thread_local std::string text;
    Machine& machine = Machine::instance();
    const std::lock_guard lock(machine.mutex);
    const Context* const context = current_context(machine);
    const ErrorName* const entry = find_error(error);
    if (context != nullptr && error != cudaSuccess && context->error == error) {
        text = context->error_text;
    } else if (error == cudaErrorInitializationError && !machine.settings_error.empty()) {
        text = machine.settings_error;
    } else {
        text = entry == nullptr ? "unrecognized error code" : entry->text;
    }
    return text.c_str();
}

cudaError_t cudaGetDeviceCount(int* count) {
    return api_call([&](Machine& machine) -> cudaError_t {
        if (machine.take_failure(LK_EMULATED_DRIVER_TOO_OLD)) return cudaErrorInsufficientDriver;
        *count = 0;
        if (const cudaError_t error = machine.availability(); error != cudaSuccess) return error;
        *count = machine.settings.devices;
        return cudaSuccess;
    });
}

cudaError_t cudaSetDevice(int device) {
    return api_call([&](Machine& machine) -> cudaError_t {
        if (const cudaError_t error = machine.availability(); error != cudaSuccess) return error;
        if (!is_device(machine, device)) return cudaErrorInvalidDevice;
        std::vector<CUcontext>& stack = Machine::thread().contexts;
        if (!stack.empty()) stack.pop_back();
        stack.push_back(machine.primary_context(device));
        return cudaSuccess;
    });
}

cudaError_t cudaGetDevice(int* device) {
    return context_call([&](Machine&, Context& context) {
        *device = context.device;
        return cudaSuccess;
    });
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
    return api_call([&](Machine& machine) -> cudaError_t {
        if (const cudaError_t error = machine.availability(); error != cudaSuccess) return error;
        if (!is_device(machine, device)) return cudaErrorInvalidDevice;
        *value = attribute_of(machine.settings, attribute);
        return *value < 0 ? cudaErrorInvalidValue : cudaSuccess;
    });
}

cudaError_t cudaDriverGetVersion(int* version) {
    return api_call([&](Machine& machine) {
        *version = machine.settings.driver_version;
        return cudaSuccess;
    });
}

cudaError_t cudaRuntimeGetVersion(int* version) {
    *version = CUDART_VERSION;
    return cudaSuccess;
}

CUresult cuDeviceGetAttribute(int* value, CUdevice_attribute attribute, CUdevice device) {
    return driver_call([&](Machine& machine, std::vector<CUcontext>&) {
        if (!is_device(machine, device)) return CUDA_ERROR_INVALID_DEVICE;
        if (attribute != CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED) return CUDA_ERROR_INVALID_VALUE;
        *value = machine.settings.page_bytes > 0 ? 1 : 0;
        return CUDA_SUCCESS;
    });
}

CUresult cuDeviceGetName(char* name, int length, CUdevice device) {
    std::snprintf(name, size_t(length), "emulated device %d (the CPU; not a GPU)", device);
    return CUDA_SUCCESS;
}

CUresult cuDeviceTotalMem(size_t* bytes, CUdevice) {
    Machine& machine = Machine::instance();
    const std::lock_guard lock(machine.mutex);
    *bytes = size_t(machine.settings.memory_bytes);
    return CUDA_SUCCESS;
}
