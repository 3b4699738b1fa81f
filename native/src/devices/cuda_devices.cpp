#include "devices/cuda_devices.h"

#include "devices/cuda_backend.h"
#include "matmul/cuda/batch.h"
#include "platform/cuda/driver.h"
#include "platform/cuda/status.h"

namespace lk::cuda {

namespace {

// Throws LK_ARCHITECTURE_NOT_BUILT where the library has no kernels for the current context's device.
void check_kernels() {
    const BatchKernel any = batch_kernel(BatchCodec::affine, LK_DTYPE_F16, 8);
    int blocks = 0;
    check(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, reinterpret_cast<const void*>(any.function),
                                                        any.threads, 0),
          "looking for the library's kernels");
}

}  // namespace

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
    return std::make_unique<CudaBackend>(device, stream, options.allocator, options.batch_invariant != 0);
}

const char* build_info() {
    return LK_CUDA_DECISION;
}

}  // namespace lk::cuda
