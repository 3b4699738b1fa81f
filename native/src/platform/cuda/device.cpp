#include "platform/cuda/device.h"

#include <cstdio>
#include <map>
#include <memory>
#include <mutex>

#include "platform/cuda/driver.h"
#include "platform/cuda/status.h"

namespace lk::cuda {
namespace {

int attribute(int index, cudaDeviceAttr which, const char* name) {
    int value = 0;
    check(cudaDeviceGetAttribute(&value, which, index), name);
    return value;
}

void check_index(int index) {
    lk_status status = LK_DEVICE_UNAVAILABLE;
    std::string why;
    const int count = visible_devices(&status, &why);
    if (count == 0) fail(status, "CUDA device %d: %s", index, why.c_str());
    if (index < 0 || index >= count) {
        fail(LK_DEVICE_UNAVAILABLE, "CUDA device %d: there are %d, numbered from 0", index, count);
    }
}

// The calling thread's context if it belongs to this device, else NULL.
CUcontext current_context_of(int index) {
    CUcontext current = nullptr;
    CUdevice device = -1;
    check(driver().context_current(&current), "cuCtxGetCurrent");
    if (current == nullptr) return nullptr;
    check(driver().context_device(&device), "cuCtxGetDevice");
    return device == index ? current : nullptr;
}

unsigned long long id_of(CUcontext context) {
    unsigned long long id = 0;
    check(driver().context_id(context, &id), "cuCtxGetId");
    return id;
}

}  // namespace

DeviceFacts device_facts(int index) {
    check_index(index);
    DeviceFacts facts;
    char name[128] = "";
    check(driver().device_name(name, sizeof name, index), "cuDeviceGetName");
    facts.name = name;
    size_t bytes = 0;
    check(driver().device_memory(&bytes, index), "cuDeviceTotalMem");
    facts.memory_bytes = int64_t(bytes);
    facts.compute_capability = attribute(index, cudaDevAttrComputeCapabilityMajor, "compute capability") * 10 +
                               attribute(index, cudaDevAttrComputeCapabilityMinor, "compute capability");
    facts.multiprocessors = attribute(index, cudaDevAttrMultiProcessorCount, "multiprocessors");
    facts.shared_bytes_per_block = attribute(index, cudaDevAttrMaxSharedMemoryPerBlockOptin, "shared memory");
    facts.shared_bytes_per_multiprocessor =
        attribute(index, cudaDevAttrMaxSharedMemoryPerMultiprocessor, "shared memory");
    facts.l2_bytes = attribute(index, cudaDevAttrL2CacheSize, "L2 cache");
    return facts;
}

void describe(const DeviceFacts& facts, int index, lk_device_info& info) {
    info.kind = kDeviceKind;
    info.index = index;
    info.compute_units = facts.multiprocessors;
    info.memory_bytes = facts.memory_bytes;
    std::snprintf(info.name, sizeof info.name, "%s", facts.name.c_str());
    std::snprintf(info.isa, sizeof info.isa, "sm_%d", facts.compute_capability);
}

Device::Device(int index, CUcontext context)
    : index_(index), context_(context), facts_(device_facts(index)), heap_(*this) {}

Device& Device::of_context(int index, CUcontext context) {
    // By id: a handle may come back with another context behind it.
    static std::mutex mutex;
    static std::map<unsigned long long, std::unique_ptr<Device>> devices;
    const std::lock_guard lock(mutex);
    std::unique_ptr<Device>& device = devices[id_of(context)];
    if (device == nullptr) device.reset(new Device(index, context));
    return *device;
}

Device& Device::open(int index) {
    check_index(index);
    const CUcontext current = current_context_of(index);
    if (current != nullptr) return of_context(index, current);
    CUcontext primary = nullptr;
    check(driver().primary_retain(&primary, index), "cuDevicePrimaryCtxRetain");
    Device& device = of_context(index, primary);
    if (device.retained_.exchange(true)) driver().primary_release(index);  // once is enough
    return device;
}

Device& Device::of_stream(cudaStream_t stream, int index) {
    check_index(index);
    CUcontext context = nullptr;
    const CUresult error = driver().stream_context(stream, &context);
    if (error == CUDA_ERROR_INVALID_HANDLE || error == CUDA_ERROR_INVALID_CONTEXT) {
        fail(LK_INVALID_ARGUMENT, "options.stream: is %p, which is no stream of a context that lives",
             static_cast<void*>(stream));
    }
    check(error, "cuStreamGetCtx");
    CUdevice device = -1;
    {
        const CurrentContext current(context);
        check(driver().context_device(&device), "cuCtxGetDevice");
    }
    if (device != index) {
        fail(LK_INVALID_ARGUMENT, "options.stream: belongs to device %d, options.device_index is %d", device, index);
    }
    return of_context(index, context);
}

CurrentContext::CurrentContext(CUcontext context) {
    CUcontext current = nullptr;
    check(driver().context_current(&current), "cuCtxGetCurrent");
    if (current == context) return;
    check(driver().context_push(context), "cuCtxPushCurrent");
    pushed_ = true;
}

CurrentContext::~CurrentContext() {
    CUcontext context = nullptr;
    if (pushed_) driver().context_pop(&context);
}

}  // namespace lk::cuda
