#include "platform/cuda/launch.h"

#include "platform/cuda/status.h"

namespace lk::cuda {
namespace {

// What every kernel may use without asking.
constexpr uint32_t kDefaultSharedBytes = 48 * 1024;

}  // namespace

void launch_kernel(const void* kernel, const LaunchConfig& config, KernelArguments arguments) {
    if (config.shared_bytes > kDefaultSharedBytes) {
        check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, int(config.shared_bytes)),
              "cudaFuncSetAttribute (dynamic shared memory)");
    }
    cudaLaunchAttribute programmatic{};
    programmatic.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    programmatic.val.programmaticStreamSerializationAllowed = 1;
    cudaLaunchConfig_t native{};
    native.gridDim = config.grid;
    native.blockDim = config.block;
    native.dynamicSmemBytes = config.shared_bytes;
    native.stream = config.stream;
    native.attrs = &programmatic;
    native.numAttrs = config.programmatic ? 1 : 0;
    check(cudaLaunchKernelExC(&native, kernel, std::move(arguments)), "cudaLaunchKernelExC");
}

}  // namespace lk::cuda
