#include "platform/cuda/status.h"

#include "platform/cuda/driver.h"

#if !defined(LK_CUDA_ARCHITECTURES)
#error "define LK_CUDA_ARCHITECTURES: the architectures that the kernels are compiled for, as text"
#endif

namespace lk::cuda {
namespace {

// "sm_75" of the current context's device; empty when even that cannot be asked.
std::string current_architecture() {
    CUdevice device = 0;
    int major = 0;
    int minor = 0;
    if (driver().context_device(&device) != CUDA_SUCCESS ||
        cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device) != cudaSuccess ||
        cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device) != cudaSuccess) {
        return "this device";
    }
    return "sm_" + std::to_string(major * 10 + minor);
}

}  // namespace

lk_status status_of(cudaError_t error) {
    switch (error) {
        case cudaErrorMemoryAllocation:
            return LK_OUT_OF_MEMORY;
        // The context is corrupted: every later call in it fails the same way.
        case cudaErrorECCUncorrectable:
        case cudaErrorIllegalAddress:
        case cudaErrorLaunchTimeout:
        case cudaErrorContextIsDestroyed:
        case cudaErrorAssert:
        case cudaErrorHardwareStackError:
        case cudaErrorIllegalInstruction:
        case cudaErrorMisalignedAddress:
        case cudaErrorInvalidAddressSpace:
        case cudaErrorInvalidPc:
        case cudaErrorLaunchFailure:
        case cudaErrorUnknown:
            return LK_DEVICE_LOST;
        case cudaErrorInsufficientDriver:
        case cudaErrorCallRequiresNewerDriver:
        case cudaErrorUnsupportedPtxVersion:
        case cudaErrorSystemDriverMismatch:
            return LK_DRIVER_TOO_OLD;
        case cudaErrorNoKernelImageForDevice:
        case cudaErrorInvalidDeviceFunction:
            return LK_ARCHITECTURE_NOT_BUILT;
        case cudaErrorNoDevice:
        case cudaErrorInvalidDevice:
        case cudaErrorInitializationError:
        case cudaErrorCompatNotSupportedOnDevice:
            return LK_DEVICE_UNAVAILABLE;
        default:
            return LK_INTERNAL;
    }
}

void fail_cuda(cudaError_t error, const char* what) {
    const lk_status status = status_of(error);
    const std::string text = std::string(cudaGetErrorName(error)) + ": " + cudaGetErrorString(error);
    if (status != LK_DEVICE_LOST) cudaGetLastError();
    switch (status) {
        case LK_OUT_OF_MEMORY:
            fail(status, "%s: out of memory (%s); free some, or use smaller batches and tables", what, text.c_str());
        case LK_DEVICE_LOST:
            // The cause last: it may be longer than a message.
            fail(
                status,
                "%s: the device's context is lost: every further call on it fails until the process ends; destroy what "
                "was made with it, and restart to go on. %s",
                what, text.c_str());
        case LK_DRIVER_TOO_OLD:
            fail(status, "%s: %s. The driver is older than this library's CUDA %d.%d; install a newer one", what,
                 text.c_str(), CUDART_VERSION / 1000, CUDART_VERSION % 1000 / 10);
        case LK_ARCHITECTURE_NOT_BUILT:
            fail(status,
                 "%s: %s. The library has no kernels for %s, only for %s; build it with this one among "
                 "LORAKERNELS_CUDA_ARCHITECTURES",
                 what, text.c_str(), current_architecture().c_str(), LK_CUDA_ARCHITECTURES);
        default:
            fail(status, "%s: %s", what, text.c_str());
    }
}

}  // namespace lk::cuda
