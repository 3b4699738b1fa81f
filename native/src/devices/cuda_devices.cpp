#include "devices/cuda_devices.h"

#include "devices/cuda_backend.h"
#include "linear/cuda/linear.h"
#include "platform/cuda/driver.h"

namespace lk::cuda {

lk_device_kind device_kind() {
    return kDeviceKind;
}

int32_t device_count() {
    return visible_devices();
}

void describe_device(int32_t index, lk_device_info& info) {
    describe(device_facts(index), index, info);
}

std::unique_ptr<Backend> open_device(const lk_context_options& options) {
    const auto stream = static_cast<cudaStream_t>(options.stream);
    Device& device =
        stream == nullptr ? Device::open(options.device_index) : Device::of_stream(stream, options.device_index);
    const CurrentContext current(device);
    check_kernels();
    return std::make_unique<CudaBackend>(device, stream, options.allocator);
}

const char* build_info() {
    return LK_CUDA_DECISION;
}

}  // namespace lk::cuda
