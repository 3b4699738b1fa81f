// Small kernels on the emulated device, over many seeds: right ones must be silent, planted mistakes must be found.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "platform/cuda_emulated/device_memory.h"
#include "platform/cuda_emulated/executor.h"

namespace lk::emulated::testing {

// Global memory with known contents, or with none.
template <class T>
class Array {
  public:
    explicit Array(const std::vector<T>& contents) : Array(contents.size(), 0) {
        std::memcpy(static_cast<void*>(data_), contents.data(), size_ * sizeof(T));
        note_written(data_, size_ * sizeof(T));
    }
    static Array uninitialised(size_t size, uint64_t owner = 0) { return Array(size, owner); }
    Array(Array&& other) noexcept : data_(std::exchange(other.data_, nullptr)), size_(other.size_) {}
    Array(const Array&) = delete;
    Array& operator=(const Array&) = delete;
    ~Array() {
        if (data_ != nullptr) release_device_memory(data_);
    }

    T* data() const { return data_; }
    size_t size() const { return size_; }
    std::vector<T> read() const { return std::vector<T>(data_, data_ + size_); }

  private:
    Array(size_t size, uint64_t owner)
        : data_(static_cast<T*>(allocate_device_memory(size * sizeof(T), owner))), size_(size) {}

    T* data_;
    size_t size_;
};

struct Shape {
    dim3 grid = 1;
    dim3 block = 32;
    uint32_t dynamic_shared = 0;
    bool programmatic = false;
};

template <class... Parameters, class... Arguments>
LaunchReport run(void (*kernel)(Parameters...), const Shape& shape, const Options& options, Arguments&&... arguments) {
    Launch launch;
    launch.grid = shape.grid;
    launch.block = shape.block;
    launch.dynamic_shared = shape.dynamic_shared;
    launch.programmatic = shape.programmatic;
    launch.call = make_kernel_call(kernel, std::forward<Arguments>(arguments)...);
    return execute(launch, options);
}

// The options of one of many runs: seeds, and warps that give way more or less often.
Options seeded(uint64_t seed);

inline constexpr uint64_t seeds = 40;

// All findings in one text.
std::string text_of(const LaunchReport& report);

// A run for each seed; `launch(options)` returns its report and may check results.
template <class Run>
void expect_silent(Run launch) {
    for (uint64_t seed = 1; seed <= seeds; ++seed) {
        const LaunchReport report = launch(seeded(seed));
        ASSERT_TRUE(report.ok()) << "seed " << seed << ": " << text_of(report);
    }
}

// At least `least` of the seeds must have a finding whose text holds `expected`.
template <class Run>
void expect_found(const std::string& expected, Run launch, uint64_t least = seeds) {
    uint64_t found = 0;
    std::string other;
    for (uint64_t seed = 1; seed <= seeds; ++seed) {
        const LaunchReport report = launch(seeded(seed));
        bool here = false;
        for (const std::string& finding : report.findings) here |= finding.find(expected) != std::string::npos;
        found += here;
        if (!here) other = report.ok() ? "nothing" : text_of(report);
    }
    EXPECT_GE(found, least) << "'" << expected << "' was found in " << found << " of " << seeds << " seeds, else "
                            << other;
}

}  // namespace lk::emulated::testing
