// Kernel launches and the attributes of kernels.
#include <algorithm>

#include "platform/cuda_emulated/architecture.h"
#include "platform/cuda_emulated/call.h"
#include "platform/cuda_emulated/enqueue.h"

using namespace lk::emulated;

namespace {

int64_t threads_of(const dim3& block) {
    return int64_t(block.x) * block.y * block.z;
}

// CUDA C++ Programming Guide, "Technical Specifications per Compute Capability".
bool is_launchable(const dim3& grid, const dim3& block) {
    return grid.x >= 1 && grid.x <= 0x7fffffff && grid.y >= 1 && grid.y <= 65535 && grid.z >= 1 && grid.z <= 65535 &&
           block.x >= 1 && block.x <= 1024 && block.y >= 1 && block.y <= 1024 && block.z >= 1 && block.z <= 64 &&
           threads_of(block) <= kMaxBlockThreads;
}

bool has_image(Machine& machine) {
    return has_kernels(machine.settings.architecture) && !machine.take_failure(LK_EMULATED_ARCHITECTURE_NOT_BUILT);
}

}  // namespace

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value) {
    return context_call([&](Machine& machine, Context& context) -> cudaError_t {
        if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize) return cudaErrorInvalidValue;
        if (value < 0 || value > max_shared_bytes_of_block(machine.settings.architecture)) return cudaErrorInvalidValue;
        context.dynamic_shared_limits[kernel] = value;
        return cudaSuccess;
    });
}

// By threads and dynamic shared memory; registers are not known here.
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void*, int block_threads,
                                                          size_t dynamic_shared_bytes) {
    return context_call([&](Machine& machine, Context&) -> cudaError_t {
        if (block_threads < 1) return cudaErrorInvalidValue;
        if (!has_kernels(machine.settings.architecture)) return cudaErrorNoKernelImageForDevice;
        const Multiprocessor multiprocessor = multiprocessor_of(machine.settings.architecture);
        const int by_threads = multiprocessor.threads / ((block_threads + 31) / 32 * 32);
        const auto by_shared = int(size_t(multiprocessor.shared_bytes) / (dynamic_shared_bytes + kReservedSharedBytes));
        *blocks = block_threads > kMaxBlockThreads ? 0 : std::min({by_threads, by_shared, multiprocessor.blocks});
        return cudaSuccess;
    });
}

cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t* config, const void* kernel,
                                std::shared_ptr<const KernelCall> call) {
    return context_call([&](Machine& machine, Context& context) -> cudaError_t {
        Stream* const stream = usable_stream(machine, context, config->stream);
        if (stream == nullptr) return cudaErrorInvalidResourceHandle;
        if (!has_image(machine)) return cudaErrorNoKernelImageForDevice;
        if (!is_launchable(config->gridDim, config->blockDim)) return cudaErrorInvalidConfiguration;
        const auto limit = context.dynamic_shared_limits.find(kernel);
        const int allowed = limit == context.dynamic_shared_limits.end() ? kDefaultSharedBytes : limit->second;
        if (config->dynamicSmemBytes > size_t(allowed)) return cudaErrorInvalidValue;
        bool programmatic = false;
        for (unsigned i = 0; i < config->numAttrs; ++i) {
            const cudaLaunchAttribute& attribute = config->attrs[i];
            if (attribute.id != cudaLaunchAttributeProgrammaticStreamSerialization) return cudaErrorInvalidValue;
            programmatic = attribute.val.programmaticStreamSerializationAllowed != 0;
        }
        return enqueue(*stream, std::make_shared<KernelWork>(*config, programmatic, std::move(call)));
    });
}
