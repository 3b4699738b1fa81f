// Small owners around the C ABI, so that tests read as what they test.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "lorakernels.h"
#include "support/weights.h"

namespace lk::test {

// Fails the test with the library's message.
#define LK_EXPECT_OK(call) EXPECT_EQ(LK_OK, (call)) << lk_last_error()
#define LK_ASSERT_OK(call) ASSERT_EQ(LK_OK, (call)) << lk_last_error()

// The call has this status, and the message holds `text`.
#define LK_EXPECT_ERROR(status, text, call)                                                       \
    do {                                                                                          \
        EXPECT_EQ(status, (call)) << lk_last_error();                                             \
        EXPECT_NE(std::string(lk_last_error()).find(text), std::string::npos) << lk_last_error(); \
    } while (false)

// Owns a handle; Destroy is the ABI's function for it.
template <class T, lk_status (*Destroy)(T*)>
class Owner {
  public:
    Owner() = default;
    Owner(Owner&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    Owner& operator=(Owner&& other) noexcept {
        std::swap(handle_, other.handle_);
        return *this;
    }
    ~Owner() { LK_EXPECT_OK(Destroy(handle_)); }

    T** out() {
        LK_EXPECT_OK(Destroy(std::exchange(handle_, nullptr)));
        return &handle_;
    }
    operator T*() const { return handle_; }
    T* release() { return std::exchange(handle_, nullptr); }

  private:
    T* handle_ = nullptr;
};

using Context = Owner<lk_context, lk_context_destroy>;
using Buffer = Owner<lk_buffer, lk_buffer_destroy>;
using Weight = Owner<lk_weight, lk_weight_destroy>;
using Table = Owner<lk_lora_table, lk_lora_table_destroy>;
using Batch = Owner<lk_lora_batch, lk_lora_batch_destroy>;

inline lk_context_options context_options(lk_cpu_isa isa = LK_CPU_AUTO) {
    lk_context_options options{};
    options.struct_size = sizeof options;
    options.abi_version = LK_ABI_VERSION;
    options.cpu_isa = isa;
    return options;
}

inline Context make_context(lk_cpu_isa isa = LK_CPU_AUTO, lk_compute compute = LK_COMPUTE_PRECISE) {
    Context context;
    lk_context_options options = context_options(isa);
    options.compute = compute;
    LK_EXPECT_OK(lk_context_create(&options, context.out()));
    return context;
}

// All paths but the reference that this processor runs.
inline std::vector<lk_cpu_isa> fast_paths() {
    std::vector<lk_cpu_isa> paths;
    for (int isa = LK_CPU_PORTABLE; isa <= LK_CPU_AVX512_VNNI; ++isa) {
        const lk_context_options options = context_options(static_cast<lk_cpu_isa>(isa));
        Context context;
        if (lk_context_create(&options, context.out()) == LK_OK) paths.push_back(options.cpu_isa);
    }
    return paths;
}

// A dense matrix of fp32 with its view.
struct Matrix {
    Matrix(int64_t row_count, int64_t column_count)
        : rows(row_count), columns(column_count), values(size_t(row_count * column_count)) {}

    lk_matrix view() { return {values.data(), rows, columns, columns, LK_DTYPE_F32, 0}; }
    float& at(int64_t r, int64_t c) { return values[size_t(r * columns + c)]; }

    int64_t rows;
    int64_t columns;
    std::vector<float> values;
};

inline Matrix random_matrix(int64_t rows, int64_t columns, uint32_t seed) {
    Matrix matrix(rows, columns);
    std::mt19937 engine(seed);
    std::uniform_real_distribution<float> uniform(-1, 1);
    for (float& value : matrix.values) value = uniform(engine);
    return matrix;
}

}  // namespace lk::test
