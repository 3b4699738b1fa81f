// The same weight, adapters and batch on any device, driven through the C ABI: what the emulated device computes is
// compared with the CPU's reference path, which sums in double precision.
#pragma once

#include <cmath>
#include <functional>
#include <string>

#include "core/matrix.h"
#include "platform/cuda_emulated/cuda_api.h"
#include "platform/cuda_emulated/lorakernels_emulated.h"
#include "support/abi.h"

namespace lk::test {

using Graph = Owner<lk_graph, lk_graph_destroy>;

inline lk_context_options emulated_options(int32_t index = 0, void* stream = nullptr) {
    lk_context_options options = context_options();
    options.device_kind = LK_DEVICE_EMULATED;
    options.device_index = index;
    options.stream = stream;
    return options;
}

inline Context make_context(const lk_context_options& options) {
    Context context;
    LK_EXPECT_OK(lk_context_create(&options, context.out()));
    return context;
}

// A matrix in device memory, its rows `padding` elements apart.
class DeviceMatrix {
  public:
    DeviceMatrix(lk_context* context, int64_t rows, int64_t columns, lk_dtype dtype, int64_t padding = 3)
        : context_(context) {
        const int64_t stride = columns + padding;
        LK_EXPECT_OK(lk_buffer_create(context, rows * stride * size_of(dtype), buffer_.out()));
        void* data = nullptr;
        LK_EXPECT_OK(lk_buffer_data(buffer_, &data));
        view = {data, rows, columns, stride, dtype, 0};
    }
    DeviceMatrix(lk_context* context, const Matrix& values, lk_dtype dtype)
        : DeviceMatrix(context, values.rows, values.columns, dtype) {
        upload(values);
    }

    void upload(const Matrix& values) {
        std::vector<char> bytes(size_t(values.rows * values.columns * size_of(view.dtype)));
        const lk_matrix host{bytes.data(), values.rows, values.columns, values.columns, view.dtype, 0};
        for (int64_t r = 0; r < values.rows; ++r) {
            write_row(host, r, 0, values.columns, values.values.data() + r * values.columns);
        }
        LK_EXPECT_OK(lk_copy(context_, &host, LK_COPY_HOST_TO_DEVICE, &view));
    }

    Matrix download() const {
        std::vector<char> bytes(size_t(view.rows * view.columns * size_of(view.dtype)));
        const lk_matrix host{bytes.data(), view.rows, view.columns, view.columns, view.dtype, 0};
        LK_EXPECT_OK(lk_copy(context_, &view, LK_COPY_DEVICE_TO_HOST, &host));
        Matrix values(view.rows, view.columns);
        for (int64_t r = 0; r < view.rows; ++r) {
            read_row(host, r, 0, view.columns, values.values.data() + r * view.columns);
        }
        return values;
    }

    lk_matrix view;

  private:
    lk_context* context_;
    Buffer buffer_;
};

// Bits, so that NaN equals itself.
inline std::vector<uint32_t> bits_of(const Matrix& matrix) {
    std::vector<uint32_t> bits(matrix.values.size());
    if (!bits.empty()) std::memcpy(bits.data(), matrix.values.data(), bits.size() * sizeof(float));
    return bits;
}

inline double relative_error(const Matrix& actual, const Matrix& expected) {
    double error = 0, norm = 0;
    for (size_t i = 0; i < expected.values.size(); ++i) {
        error += std::pow(double(actual.values[i]) - double(expected.values[i]), 2);
        norm += std::pow(double(expected.values[i]), 2);
    }
    return norm == 0 ? std::sqrt(error) : std::sqrt(error / norm);
}

inline double tolerance(lk_dtype dtype) {
    return dtype == LK_DTYPE_F32 ? 1e-5 : dtype == LK_DTYPE_F16 ? 1e-3 : 8e-3;
}

struct Shape {
    int64_t in = 72;
    int64_t out = 50;
    int64_t group = 32;
    int64_t outer_group = 256;  // 0: plain
    lk_format format = LK_FORMAT_BNB_NF4;
    std::vector<int64_t> ranks = {3, 8, 17};  // of the adapters
    lk_dtype factor_dtype = LK_DTYPE_F32;
};

// A module of two slices with a gap, whose adapters change both, or the second one only.
class Rig {
  public:
    static constexpr int64_t kMaxRows = 40;

    Rig(const lk_context_options& options, const Shape& of) : shape(of), context(make_context(options)) {
        Tensors tensors(shape.format == LK_FORMAT_GGUF_Q4_0
                            ? q4_0_sizes(shape.out, shape.in)
                            : nf4_sizes(shape.out, shape.in, shape.group, shape.outer_group));
        fill(tensors, 1);
        if (shape.format == LK_FORMAT_BNB_NF4) {  // fp32 bits of a map with both signs
            std::vector<unsigned char>& table = tensors.bytes(&lk_weight_tensors::table);
            table.resize(64);
            for (int i = 0; i < 16; ++i) {
                const float value = float(i - 7) / 8;
                std::memcpy(&table[size_t(i) * 4], &value, 4);
            }
            tensors.view.table = {table.data(), 64};
        }
        LK_EXPECT_OK(lk_weight_pack(context, &tensors.view, weight.out()));
        const int64_t half = shape.out / 2;
        const lk_output_slice slices[] = {{0, half - 1}, {half, shape.out - half}};
        const lk_lora_module module{sizeof module, 2, shape.in, shape.out, slices};
        LK_EXPECT_OK(lk_lora_table_create(context, &module, 1, table.out()));
        uint32_t seed = 10;
        for (const int64_t rank : shape.ranks) adapters.push_back(add_adapter(rank, ++seed));
        const lk_lora_batch_options capacities{sizeof capacities, 0, kMaxRows, 2 * kMaxRows, 8, 1200};
        LK_EXPECT_OK(lk_lora_batch_create(context, table, &capacities, batch.out()));
    }

    int64_t add_adapter(int64_t rank, uint32_t seed) {
        const int64_t half = shape.out / 2;
        Matrix a = random_matrix(rank, shape.in, seed), first = random_matrix(half - 1, rank, seed + 1),
               second = random_matrix(shape.out - half, rank, seed + 2);
        const lk_lora_factors factors[] = {{sizeof(lk_lora_factors), 0, 1, 0.5f, a.view(), second.view(), {}, {}},
                                           {sizeof(lk_lora_factors), 0, 0, 0.25f, a.view(), first.view(), {}, {}}};
        int64_t id = 0;
        LK_EXPECT_OK(lk_lora_table_add(context, table, factors, rank % 2 == 0 ? 1 : 2, &id));
        return id;
    }

    // Adapters of rows by number, -1: none. Odd rows have a second one besides, with a weight.
    lk_status set(const std::vector<int>& rows, lk_context* other_context = nullptr) {
        std::vector<int64_t> offsets = {0}, ids;
        std::vector<float> weights;
        for (size_t r = 0; r < rows.size(); ++r) {
            ids.push_back(rows[r] < 0 ? LK_ADAPTER_NONE : adapters[size_t(rows[r])]);
            weights.push_back(1);
            if (r % 2 == 1) {
                ids.push_back(adapters[r % adapters.size()]);
                weights.push_back(-0.75f);
            }
            offsets.push_back(int64_t(ids.size()));
        }
        entries = int64_t(ids.size());
        const lk_lora_assignment assignment{sizeof assignment, 0,          int64_t(rows.size()),
                                            offsets.data(),    ids.data(), weights.data()};
        return lk_lora_batch_set(other_context == nullptr ? context : other_context, batch, &assignment);
    }

    Matrix run(const Matrix& input, lk_dtype dtype, const Matrix* before,
               const std::function<lk_status(const lk_matrix& x, const lk_matrix& y)>& operation) {
        DeviceMatrix x(context, input, dtype), y(context, input.rows, shape.out, dtype);
        if (before != nullptr) y.upload(*before);
        LK_EXPECT_OK(operation(x.view, y.view));
        return y.download();
    }

    Matrix linear(const Matrix& input, lk_dtype dtype, bool with_batch, bool with_bias) {
        DeviceMatrix bias(context, random_matrix(1, shape.out, 77), LK_DTYPE_F16);
        return run(input, dtype, nullptr, [&](const lk_matrix& x, const lk_matrix& y) {
            return lk_linear(context, &x, weight, with_batch ? static_cast<lk_lora_batch*>(batch) : nullptr, 0,
                             with_bias ? &bias.view : nullptr, &y);
        });
    }

    Matrix apply(const Matrix& input, const Matrix& before, lk_dtype dtype) {
        return run(input, dtype, &before,
                   [&](const lk_matrix& x, const lk_matrix& y) { return lk_lora_apply(context, &x, batch, 0, &y); });
    }

    Matrix shrink(const Matrix& input, lk_dtype dtype) {
        int64_t columns = 0;
        LK_EXPECT_OK(lk_lora_shrink_columns(batch, 0, &columns));
        DeviceMatrix x(context, input, dtype), s(context, entries, columns + 2, LK_DTYPE_F32);
        LK_EXPECT_OK(lk_lora_shrink(context, &x.view, batch, 0, &s.view));
        return s.download();
    }

    Matrix expand(const Matrix& values, const Matrix& before, lk_dtype dtype) {
        DeviceMatrix s(context, values, LK_DTYPE_F32), y(context, before, dtype);
        LK_EXPECT_OK(lk_lora_expand(context, &s.view, batch, 0, &y.view));
        return y.download();
    }

    Matrix dequantize(lk_dtype dtype) {
        DeviceMatrix y(context, shape.out, shape.in, dtype);
        LK_EXPECT_OK(lk_dequantize(context, weight, &y.view));
        return y.download();
    }

    // Where destroying it does not give LK_OK.
    lk_status destroy_context() { return lk_context_destroy(context.release()); }

    Shape shape;
    Context context;
    Weight weight;
    Table table;
    Batch batch;
    std::vector<int64_t> adapters;
    int64_t entries = 0;
};

// Tests of the backend: two devices, all checks on, and nothing left behind, members of fixtures included.
class BackendTest : public testing::Test {
  protected:
    BackendTest() {
        LK_EXPECT_OK(lk_emulated_configure_text("seed=1,rounding=exact,checks=1,devices=2,memory=1073741824"));
        handles_ = lk_live_handles();
        bytes_ = live_bytes();
        addresses_ = statistics().reserved_bytes;
    }
    ~BackendTest() override {
        LK_EXPECT_OK(lk_emulated_reset());
        EXPECT_EQ(lk_live_handles(), handles_);
        EXPECT_EQ(live_bytes(), bytes_);
        EXPECT_EQ(statistics().reserved_bytes, addresses_);
    }

    static lk_emulated_statistics statistics() {
        lk_emulated_statistics result{};
        result.struct_size = sizeof result;
        LK_EXPECT_OK(lk_emulated_statistics_get(&result));
        return result;
    }
    static int64_t live_bytes() { return statistics().live_bytes; }

    static CUcontext current_context() {
        CUcontext context = nullptr;
        EXPECT_EQ(CUDA_SUCCESS, cuCtxGetCurrent(&context));
        return context;
    }

  private:
    int64_t handles_ = 0;
    int64_t bytes_ = 0;
    int64_t addresses_ = 0;
};

}  // namespace lk::test
