// A build without CUDA kernels.
#include "core/error.h"
#include "devices/cuda_devices.h"

namespace lk::cuda {

lk_device_kind device_kind() {
    return LK_DEVICE_CUDA;
}

int32_t device_count() {
    return 0;
}

void describe_device(int32_t index, lk_device_info&) {
    fail(LK_DEVICE_UNAVAILABLE, "CUDA device %d: this build of the library has no CUDA kernels (%s)", index,
         build_info());
}

std::unique_ptr<Backend> open_device(const lk_context_options& options) {
    lk_device_info info{};
    describe_device(options.device_index, info);
    return nullptr;
}

const char* build_info() {
    return LK_CUDA_DECISION;
}

}  // namespace lk::cuda
