// What a conformance check has to work with: a device, buffers on it, launches, and comparisons to the last bit.
// The same on a GPU and on the emulated device.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "platform/cuda/launch.h"
#include "platform/cuda/stream.h"

namespace lk::conformance {

// Bytes on the device.
class DeviceBytes {
  public:
    DeviceBytes(const cuda::Stream& stream, const void* contents, size_t bytes);
    DeviceBytes(const DeviceBytes&) = delete;
    DeviceBytes& operator=(const DeviceBytes&) = delete;
    ~DeviceBytes();

    void* data() const { return data_; }
    void read(void* contents, size_t bytes) const;

  private:
    const cuda::Stream& stream_;
    void* data_ = nullptr;
};

template <class T>
class Buffer {
  public:
    Buffer(const cuda::Stream& stream, const std::vector<T>& contents)
        : bytes_(std::make_unique<DeviceBytes>(stream, contents.data(), contents.size() * sizeof(T))),
          size_(contents.size()) {}

    T* data() const { return static_cast<T*>(bytes_->data()); }

    // Waits for the stream.
    std::vector<T> read() const {
        std::vector<T> contents(size_);
        bytes_->read(contents.data(), size_ * sizeof(T));
        return contents;
    }

  private:
    std::unique_ptr<DeviceBytes> bytes_;
    size_t size_;
};

// A value differs from the formula's.
class Mismatch : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

class Bench {
  public:
    Bench();

    int compute_capability() const { return device_.facts().compute_capability; }
    const std::string& device_name() const { return device_.facts().name; }
    std::mt19937& random() { return random_; }

    template <class T>
    Buffer<T> copy(const std::vector<T>& contents) {
        return Buffer<T>(stream_, contents);
    }

    template <class T>
    Buffer<T> zeros(size_t count) {
        return Buffer<T>(stream_, std::vector<T>(count));
    }

    struct Shape {
        uint32_t blocks = 1;
        uint32_t threads = 32;
        uint32_t shared_bytes = 0;
        bool programmatic = false;
    };

    template <class... Parameters, class... Arguments>
    void launch(const Shape& shape, void (*kernel)(Parameters...), Arguments&&... arguments) {
        cuda::LaunchConfig config;
        config.grid = dim3(shape.blocks);
        config.block = dim3(shape.threads);
        config.shared_bytes = shape.shared_bytes;
        config.stream = stream_.handle();
        config.programmatic = shape.programmatic;
        cuda::launch(kernel, config, std::forward<Arguments>(arguments)...);
    }

  private:
    cuda::Device& device_;
    cuda::CurrentContext current_;
    cuda::Stream stream_;
    std::mt19937 random_{20};
};

[[noreturn]] void fail_comparison(const char* what, size_t index, size_t differing, size_t count, uint64_t actual,
                                  uint64_t expected);

// Compares bits. Throws Mismatch with the first difference.
template <class T>
void expect_equal(const char* what, const std::vector<T>& actual, const std::vector<T>& expected) {
    static_assert(sizeof(T) <= 8);
    const auto bits = [](const T& value) {
        uint64_t result = 0;
        std::memcpy(&result, &value, sizeof(T));
        return result;
    };
    size_t first = 0;
    size_t differing = actual.size() == expected.size() ? 0 : 1;
    for (size_t i = 0; i < actual.size() && i < expected.size(); ++i) {
        if (bits(actual[i]) == bits(expected[i])) continue;
        if (differing++ == 0) first = i;
    }
    if (differing != 0) {
        fail_comparison(what, first, differing, expected.size(), bits(actual[first]), bits(expected[first]));
    }
}

// Random integers of low … high.
template <class T>
std::vector<T> random_values(Bench& bench, size_t count, int64_t low, int64_t high) {
    std::uniform_int_distribution<int64_t> distribution(low, high);
    std::vector<T> values(count);
    for (T& value : values) value = static_cast<T>(distribution(bench.random()));
    return values;
}

}  // namespace lk::conformance
