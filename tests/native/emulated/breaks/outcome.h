// What a run of a kernel on the emulated device came to, and the memory it works on.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "platform/cuda_emulated/device_memory.h"
#include "platform/cuda_emulated/executor.h"

namespace lk::breaks {

struct Outcome {
    bool wrong_values = false;
    std::vector<std::string> findings;

    bool caught() const { return wrong_values || !findings.empty(); }
};

// The context that all memory here belongs to.
inline constexpr uint64_t context = 1;

template <class T>
class DeviceArray {
  public:
    explicit DeviceArray(const std::vector<T>& contents) : DeviceArray(contents.size()) {
        std::memcpy(static_cast<void*>(data_), contents.data(), size_ * sizeof(T));
        emulated::note_written(data_, size_ * sizeof(T));
    }
    // Uninitialised: reading it is a finding.
    explicit DeviceArray(size_t size)
        : data_(static_cast<T*>(emulated::allocate_device_memory(size * sizeof(T), context))), size_(size) {}
    ~DeviceArray() { emulated::release_device_memory(data_); }
    DeviceArray(const DeviceArray&) = delete;
    DeviceArray& operator=(const DeviceArray&) = delete;

    T* data() const { return data_; }
    bool equals(const std::vector<T>& expected) const {
        return size_ == expected.size() && std::memcmp(data_, expected.data(), size_ * sizeof(T)) == 0;
    }

  private:
    T* data_;
    size_t size_;
};

struct Shape {
    dim3 grid;
    dim3 block;
    uint32_t shared_bytes = 0;
    bool programmatic = false;
};

// Runs a kernel and adds its findings to the outcome.
template <class... Parameters, class... Arguments>
void run(Outcome& outcome, const emulated::Options& options, const Shape& shape, void (*kernel)(Parameters...),
         Arguments&&... arguments) {
    emulated::Launch launch;
    launch.grid = shape.grid;
    launch.block = shape.block;
    launch.dynamic_shared = shape.shared_bytes;
    launch.call = emulated::make_kernel_call(kernel, std::forward<Arguments>(arguments)...);
    launch.programmatic = shape.programmatic;
    launch.owner = context;
    for (std::string& finding : emulated::execute(launch, options).findings) {
        outcome.findings.push_back(std::move(finding));
    }
}

}  // namespace lk::breaks
