#include "platform/cuda/driver.h"

#include "platform/cuda/status.h"

namespace lk::cuda {
namespace {

template <class Function>
void look_up(const char* name, Function& function) {
    void* address = nullptr;
    cudaDriverEntryPointQueryResult result = cudaDriverEntryPointSymbolNotFound;
    // Newer runtimes would otherwise hand out newer signatures of the same name.
#if CUDART_VERSION >= 12050
    check(cudaGetDriverEntryPointByVersion(name, &address, 12000, cudaEnableDefault, &result), name);
#else
    check(cudaGetDriverEntryPoint(name, &address, cudaEnableDefault, &result), name);
#endif
    if (result != cudaDriverEntryPointSuccess || address == nullptr) {
        fail(LK_DRIVER_TOO_OLD, "the NVIDIA driver has no %s; install one for CUDA 12.0 or newer", name);
    }
    function = reinterpret_cast<Function>(address);
}

Driver load() {
    Driver loaded{};
    look_up("cuCtxGetCurrent", loaded.context_current);
    look_up("cuCtxPushCurrent", loaded.context_push);
    look_up("cuCtxPopCurrent", loaded.context_pop);
    look_up("cuCtxGetDevice", loaded.context_device);
    look_up("cuCtxGetId", loaded.context_id);
    look_up("cuDevicePrimaryCtxRetain", loaded.primary_retain);
    look_up("cuDevicePrimaryCtxRelease", loaded.primary_release);
    look_up("cuDeviceGetName", loaded.device_name);
    look_up("cuDeviceTotalMem", loaded.device_memory);
    look_up("cuStreamGetCtx", loaded.stream_context);
    look_up("cuTensorMapEncodeTiled", loaded.tensor_map_tiled);
    look_up("cuDeviceGetAttribute", loaded.device_attribute);
    look_up("cuMemGetAllocationGranularity", loaded.memory_granularity);
    look_up("cuMemCreate", loaded.memory_create);
    look_up("cuMemRelease", loaded.memory_release);
    look_up("cuMemAddressReserve", loaded.address_reserve);
    look_up("cuMemAddressFree", loaded.address_free);
    look_up("cuMemMap", loaded.memory_map);
    look_up("cuMemUnmap", loaded.memory_unmap);
    look_up("cuMemSetAccess", loaded.memory_set_access);
    return loaded;
}

// "12.4" of 12040.
std::string version_text(int version) {
    return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

}  // namespace

const Driver& driver() {
    static const Driver loaded = load();  // tried again by the next call if it throws
    return loaded;
}

int visible_devices(lk_status* status_if_none, std::string* why_none) {
    int count = 0;
    const cudaError_t error = cudaGetDeviceCount(&count);
    if (error == cudaSuccess && count > 0) return count;
    cudaGetLastError();

    int version = 0;
    if (cudaDriverGetVersion(&version) != cudaSuccess) {
        cudaGetLastError();
        version = 0;
    }
    lk_status status = LK_DEVICE_UNAVAILABLE;
    std::string why;
    if (version == 0) {
        why = "no NVIDIA driver is installed (libcuda.so.1 was not found)";
    } else if (error == cudaErrorInsufficientDriver) {
        status = LK_DRIVER_TOO_OLD;
        why = "the NVIDIA driver supports CUDA " + version_text(version) + ", this library was built with CUDA " +
              version_text(CUDART_VERSION) + "; install a newer driver";
    } else if (error == cudaSuccess || error == cudaErrorNoDevice) {
        why = "the NVIDIA driver sees no device (is CUDA_VISIBLE_DEVICES set?)";
    } else {
        status = status_of(error);
        why = std::string("the NVIDIA driver does not start: ") + cudaGetErrorName(error) + ": " +
              cudaGetErrorString(error);
    }
    if (status_if_none != nullptr) *status_if_none = status;
    if (why_none != nullptr) *why_none = why;
    return 0;
}

}  // namespace lk::cuda
