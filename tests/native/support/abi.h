// Small owners around the C ABI, so that tests read as what they test.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <utility>
#include <vector>

#include "lorakernels.h"

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

inline Context make_context(lk_cpu_isa isa = LK_CPU_AUTO) {
    Context context;
    const lk_context_options options = context_options(isa);
    LK_EXPECT_OK(lk_context_create(&options, context.out()));
    return context;
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

// The buffers of lk_weight_tensors.
inline constexpr lk_bytes lk_weight_tensors::*kWeightBuffers[] = {
    &lk_weight_tensors::codes,       &lk_weight_tensors::scales, &lk_weight_tensors::zero_points,
    &lk_weight_tensors::group_index, &lk_weight_tensors::table,  &lk_weight_tensors::outer_table,
    &lk_weight_tensors::outer_scales};

// The bytes of a weight in its checkpoint's layout, and the struct that points at them.
struct Tensors {
    explicit Tensors(const lk_weight_tensors& sizes) : view(sizes) {
        for (lk_bytes lk_weight_tensors::*buffer : kWeightBuffers) {
            storage.emplace_back(size_t((view.*buffer).size));
            (view.*buffer).data = storage.back().data();
        }
    }
    Tensors(const Tensors&) = delete;

    // The bytes of one buffer.
    std::vector<unsigned char>& bytes(lk_bytes lk_weight_tensors::*buffer) {
        return storage[size_t(std::find(std::begin(kWeightBuffers), std::end(kWeightBuffers), buffer) -
                              std::begin(kWeightBuffers))];
    }

    std::vector<std::vector<unsigned char>> storage;
    lk_weight_tensors view;
};

inline lk_weight_tensors nf4_sizes(int64_t n, int64_t k, int64_t group, int64_t outer_group) {
    const int64_t groups = (n * k + group - 1) / group;
    lk_weight_tensors t{};
    t.struct_size = sizeof t;
    t.format = LK_FORMAT_BNB_NF4;
    t.out_features = n;
    t.in_features = k;
    t.group_size = group;
    t.outer_group_size = outer_group;
    t.codes.size = (n * k + 1) / 2;
    t.scales.size = groups * (outer_group != 0 ? 1 : 4);
    if (outer_group != 0) {
        t.outer_table.size = 1024;
        t.outer_scales.size = (groups + outer_group - 1) / outer_group * 4;
    }
    return t;
}

inline lk_weight_tensors q4_0_sizes(int64_t n, int64_t k) {
    lk_weight_tensors t{};
    t.struct_size = sizeof t;
    t.format = LK_FORMAT_GGUF_Q4_0;
    t.out_features = n;
    t.in_features = k;
    t.group_size = 32;
    t.codes.size = n * k / 32 * 18;
    return t;
}

// Random codes and tame scales.
inline void fill(Tensors& tensors, uint32_t seed) {
    std::mt19937 engine(seed);
    std::uniform_real_distribution<float> uniform(0.5f, 2.0f);
    const auto bytes = [&](std::vector<unsigned char>& out) {
        for (unsigned char& byte : out) byte = static_cast<unsigned char>(engine());
    };
    const auto floats = [&](std::vector<unsigned char>& out) {
        for (size_t i = 0; i + 4 <= out.size(); i += 4) {
            const float value = uniform(engine);
            std::memcpy(&out[i], &value, 4);
        }
    };
    std::vector<unsigned char>& codes = tensors.bytes(&lk_weight_tensors::codes);
    bytes(codes);
    if (tensors.view.format == LK_FORMAT_GGUF_Q4_0) {
        // d = 1.0 ... 1.99 in fp16
        for (size_t i = 1; i < codes.size(); i += 18) codes[i] = static_cast<unsigned char>(0x3c | (codes[i] & 3));
        return;
    }
    if (tensors.view.outer_group_size == 0) {
        floats(tensors.bytes(&lk_weight_tensors::scales));
    } else {
        bytes(tensors.bytes(&lk_weight_tensors::scales));
        floats(tensors.bytes(&lk_weight_tensors::outer_table));
        floats(tensors.bytes(&lk_weight_tensors::outer_scales));
        tensors.view.outer_offset = 0.25f;
    }
}

}  // namespace lk::test
