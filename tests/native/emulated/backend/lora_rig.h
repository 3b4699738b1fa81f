// A table of adapters and a batch on any device, for tests of LoRA alone.
#pragma once

#include "emulated/backend/rig.h"

namespace lk::test {

// A dense matrix in host memory of any dtype.
class HostMatrix {
  public:
    HostMatrix(const Matrix& values, lk_dtype dtype)
        : bytes_(size_t(values.rows * values.columns * size_of(dtype))), view{bytes_.data(),  values.rows,
                                                                              values.columns, values.columns,
                                                                              dtype,          0} {
        for (int64_t r = 0; r < values.rows; ++r) {
            write_row(view, r, 0, values.columns, values.values.data() + r * values.columns);
        }
    }
    HostMatrix(const HostMatrix&) = delete;

  private:
    std::vector<char> bytes_;

  public:
    lk_matrix view;
};

struct LoraShape {
    int64_t in = 128;
    int64_t out = 96;
    std::vector<lk_output_slice> slices = {{0, 96}};
    std::vector<int64_t> ranks = {16};  // of the adapters
    lk_dtype a_dtype = LK_DTYPE_F16;
    lk_dtype b_dtype = LK_DTYPE_F16;
    int64_t max_rows = 320;
};

struct RowEntry {
    int adapter;  // -1: none
    float weight = 1;
};
using Assignment = std::vector<std::vector<RowEntry>>;

class LoraRig {
  public:
    LoraRig(const lk_context_options& options, const LoraShape& of) : shape(of), context(make_context(options)) {
        const lk_lora_module module{sizeof module, int32_t(shape.slices.size()), shape.in, shape.out,
                                    shape.slices.data()};
        LK_EXPECT_OK(lk_lora_table_create(context, &module, 1, table.out()));
        for (size_t a = 0; a < shape.ranks.size(); ++a) adapters.push_back(add(shape.ranks[a], uint32_t(10 * a + 50)));
        const lk_lora_batch_options capacities{
            sizeof capacities, 0, shape.max_rows, 3 * shape.max_rows, int64_t(shape.ranks.size()) + 2, 16000};
        LK_EXPECT_OK(lk_lora_batch_create(context, table, &capacities, batch.out()));
    }

    // Adapters of odd ranks lack the first slice of several. `bad`, if not 0, is one element of A: of every slice's, or
    // of one's.
    int64_t add(int64_t rank, uint32_t seed, float bad = 0, int bad_slice = -1) {
        std::vector<std::unique_ptr<HostMatrix>> matrices;
        std::vector<lk_lora_factors> factors;
        for (size_t s = rank % 2 != 0 && shape.slices.size() > 1 ? 1 : 0; s < shape.slices.size(); ++s) {
            Matrix a = random_matrix(rank, shape.in, seed + uint32_t(s));
            if (bad != 0 && (bad_slice < 0 || int(s) == bad_slice)) a.at(rank - 1, shape.in / 2) = bad;
            const Matrix b = random_matrix(shape.slices[s].size, rank, seed + 5 + uint32_t(s));
            const auto put = [&](const Matrix& values, lk_dtype dtype) {
                return matrices.emplace_back(std::make_unique<HostMatrix>(values, dtype))->view;
            };
            factors.push_back({sizeof(lk_lora_factors),
                               0,
                               int32_t(s),
                               0.5f + 0.25f * float(s),
                               put(a, shape.a_dtype),
                               put(b, shape.b_dtype),
                               {},
                               {}});
        }
        int64_t id = 0;
        LK_EXPECT_OK(lk_lora_table_add(context, table, factors.data(), int32_t(factors.size()), &id));
        return id;
    }

    void set(const Assignment& rows) {
        std::vector<int64_t> offsets = {0}, ids;
        std::vector<float> weights;
        for (const auto& row : rows) {
            for (const RowEntry& entry : row) {
                ids.push_back(entry.adapter < 0 ? LK_ADAPTER_NONE : adapters[size_t(entry.adapter)]);
                weights.push_back(entry.weight);
            }
            offsets.push_back(int64_t(ids.size()));
        }
        entries = int64_t(ids.size());
        const lk_lora_assignment assignment{sizeof assignment, 0,          int64_t(rows.size()),
                                            offsets.data(),    ids.data(), weights.data()};
        LK_EXPECT_OK(lk_lora_batch_set(context, batch, &assignment));
    }

    Matrix apply(const Matrix& input, const Matrix& before, lk_dtype dtype, int64_t padding = 3) {
        DeviceMatrix x(context, input.rows, shape.in, dtype, padding), y(context, input.rows, shape.out, dtype);
        x.upload(input);
        y.upload(before);
        LK_EXPECT_OK(lk_lora_apply(context, &x.view, batch, 0, &y.view));
        return y.download();
    }

    Matrix shrink(const Matrix& input, lk_dtype dtype, int64_t padding = 3) {
        int64_t columns = 0;
        LK_EXPECT_OK(lk_lora_shrink_columns(batch, 0, &columns));
        DeviceMatrix x(context, input.rows, shape.in, dtype, padding), s(context, entries, columns + 1, LK_DTYPE_F32);
        x.upload(input);
        LK_EXPECT_OK(lk_lora_shrink(context, &x.view, batch, 0, &s.view));
        return s.download();
    }

    Matrix expand(const Matrix& values, const Matrix& before, lk_dtype dtype) {
        DeviceMatrix s(context, values, LK_DTYPE_F32), y(context, before, dtype);
        LK_EXPECT_OK(lk_lora_expand(context, &s.view, batch, 0, &y.view));
        return y.download();
    }

    LoraShape shape;
    Context context;
    Table table;
    Batch batch;
    std::vector<int64_t> adapters;
    int64_t entries = 0;
};

}  // namespace lk::test
