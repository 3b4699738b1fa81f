#include "conformance/bench.h"

#include <cinttypes>
#include <cstdio>

#include "platform/cuda/status.h"

namespace lk::conformance {

DeviceBytes::DeviceBytes(const cuda::Stream& stream, const void* contents, size_t bytes) : stream_(stream) {
    cuda::check(cudaMalloc(&data_, bytes), "cudaMalloc");
    cuda::check(cudaMemcpyAsync(data_, contents, bytes, cudaMemcpyHostToDevice, stream.handle()), "cudaMemcpyAsync");
    stream.synchronize();
}

DeviceBytes::~DeviceBytes() {
    static_cast<void>(cudaFree(data_));
}

void DeviceBytes::read(void* contents, size_t bytes) const {
    cuda::check(cudaMemcpyAsync(contents, data_, bytes, cudaMemcpyDeviceToHost, stream_.handle()), "cudaMemcpyAsync");
    stream_.synchronize();
}

Bench::Bench() : device_(cuda::Device::open(0)), current_(device_), stream_(device_) {}

void fail_comparison(const char* what, size_t index, size_t differing, size_t count, uint64_t actual,
                     uint64_t expected) {
    char text[256];
    std::snprintf(text, sizeof(text), "%s: %zu of %zu differ, the first at %zu: 0x%" PRIx64 ", expected 0x%" PRIx64,
                  what, differing, count, index, actual, expected);
    throw Mismatch(text);
}

}  // namespace lk::conformance
