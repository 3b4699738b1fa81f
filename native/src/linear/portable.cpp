// How the portable path computes
//   1. a chunk of rows of x becomes fp32, padded with zeros to whole steps;
//   2. shrink: the chunk's entries, grouped by adapter, one rank tile an item;
//   3. a panel of 32 columns an item: each block of 128 k of W is decoded once into the cache and multiplied with every
//      row of the chunk, then the rows' adapters and the bias are added and the result is rounded.
// No sum depends on how rows, panels or threads are divided.
#include "linear/portable.h"

#include "core/matrix.h"
#include "lora/portable.h"

namespace lk::cpu::portable {
namespace {

constexpr int64_t kChunkRows = 256;

int64_t padded_depth(int64_t in_features) {
    return round_up(in_features, PanelLayout::kStepDepth);
}

// A row of fp32 totals for each row of an item.
using Totals = float[PanelLayout::kColumns];

struct Scratch {
    float* x;  // [chunk rows, padded depth]
    Intermediate intermediate;

    Scratch(Carver& carver, int64_t rows, int64_t in_features, int64_t entries, int64_t tiles) {
        x = carver.take<float>(std::min(rows, kChunkRows) * padded_depth(in_features));
        intermediate = Intermediate::place(carver, entries, tiles);
    }
};

Scratch reserve(Workspace& workspace, int64_t rows, int64_t in_features, const BatchPlan* plan) {
    const int64_t entries = plan == nullptr ? 0 : plan->entries();
    const int64_t tiles = plan == nullptr ? 0 : tiles_of(*plan);
    Carver carver(workspace.reserve(workspace_bytes(rows, in_features, entries, tiles)));
    return Scratch(carver, rows, in_features, entries, tiles);
}

void widen_rows(const lk_matrix& x, int64_t first_row, int64_t rows, float* out) {
    const int64_t stride = padded_depth(x.columns);
    ThreadPool::shared().parallel_for(rows, [&](int64_t r) {
        read_row(x, first_row + r, 0, x.columns, out + r * stride);
        std::fill(out + r * stride + x.columns, out + (r + 1) * stride, 0.0f);
    });
}

// totals += x * W^T for the columns of a panel.
void add_base(const lk_weight& weight, const ValueTable& table, int64_t panel, const float* x, int64_t rows,
              Totals* totals) {
    DecodedBlock block;
    const float* x_rows[kChunkRows];
    const int64_t in_features = weight.layout.in_features;
    const int64_t stride = padded_depth(in_features);
    for (int64_t first_k = 0; first_k < in_features; first_k += kBlockDepth) {
        const int64_t depth = std::min(kBlockDepth, in_features - first_k);
        decode_block(weight, table, panel, first_k, depth, block);
        for (int64_t r = 0; r < rows; ++r) x_rows[r] = x + r * stride + first_k;
        dot_block(x_rows, rows, block.values[0], round_up(weight.layout.columns(panel), 4), kBlockDepth,
                  round_up(depth, PanelLayout::kStepDepth), totals[0], PanelLayout::kColumns);
    }
}

// Steps 2 and 3 for a chunk. x is NULL where neither shrink nor a weight needs it.
struct Chunk {
    const LinearArguments& arguments;
    const LoraModule* module;
    const Intermediate& intermediate;
    const float* x;
    int64_t first_row;
    int64_t rows;

    bool has_entries(int64_t row) const {
        return module != nullptr &&
               arguments.plan->row_offsets[size_t(row)] != arguments.plan->row_offsets[size_t(row) + 1];
    }

    void compute_panel(const ValueTable* table, int64_t panel, int64_t begin, int64_t end) const {
        const int64_t column = panel * PanelLayout::kColumns;
        const int64_t columns = std::min(PanelLayout::kColumns, arguments.y.columns - column);
        alignas(64) Totals totals[kChunkRows];
        std::fill_n(totals[0], (end - begin) * PanelLayout::kColumns, 0.0f);
        if (arguments.weight != nullptr) {
            add_base(*arguments.weight, *table, panel, x + begin * padded_depth(arguments.x.columns), end - begin,
                     totals);
        }
        float bias[PanelLayout::kColumns];
        if (arguments.bias != nullptr) read_row(*arguments.bias, 0, column, columns, bias);
        for (int64_t r = begin; r < end; ++r) {
            const int64_t row = first_row + r;
            float* const total = totals[r - begin];
            if (arguments.weight == nullptr) {
                if (!has_entries(row)) continue;  // y stays as it is
                read_row(arguments.y, row, column, columns, total);
            }
            if (has_entries(row)) {
                expand_row(*arguments.plan, *module, intermediate, row, column, columns, total);
            }
            if (arguments.bias != nullptr) {
                for (int64_t c = 0; c < columns; ++c) total[c] += bias[c];
            }
            write_row(arguments.y, row, column, columns, total);
        }
    }

    void compute() const {
        const int64_t panels = divide_up(arguments.y.columns, PanelLayout::kColumns);
        if (panels == 0 || rows == 0) return;
        // Rows of one item: all, so that W is decoded once, unless there are too few panels to keep the threads busy.
        const int64_t wanted_items = int64_t(ThreadPool::shared().thread_count()) * 4;
        const int64_t pieces = std::clamp<int64_t>(divide_up(wanted_items, panels), 1, divide_up(rows, 8));
        const int64_t rows_of_item = divide_up(rows, pieces);
        const ValueTable table(arguments.weight == nullptr ? kNoValues : arguments.weight->values);
        ThreadPool::shared().parallel_for(panels * pieces, [&](int64_t item) {
            const int64_t begin = item % pieces * rows_of_item;
            const int64_t end = std::min(rows, begin + rows_of_item);
            if (begin < end) compute_panel(&table, item / pieces, begin, end);
        });
    }

    static constexpr float kNoValues[16] = {};
};

}  // namespace

int64_t workspace_bytes(int64_t rows, int64_t in_features, int64_t entries, int64_t rank_tiles) {
    Carver measure(nullptr);
    (void)Scratch(measure, rows, in_features, entries, rank_tiles);
    return measure.used();
}

void linear(const LinearArguments& arguments, Workspace& workspace) {
    const lk_matrix& x = arguments.x;
    const LoraModule* module = arguments.plan == nullptr ? nullptr : &arguments.plan->table->module(arguments.module);
    Scratch scratch = reserve(workspace, x.rows, x.columns, arguments.plan);
    if (module != nullptr) scratch.intermediate.set_offsets(*arguments.plan, *module);
    for (int64_t first = 0; first < x.rows; first += kChunkRows) {
        const int64_t rows = std::min(kChunkRows, x.rows - first);
        widen_rows(x, first, rows, scratch.x);
        if (module != nullptr) {
            const BatchPlan& plan = *arguments.plan;
            shrink_entries(plan, *module, scratch.intermediate, plan.row_offsets[size_t(first)],
                           plan.row_offsets[size_t(first + rows)], scratch.x, padded_depth(x.columns), first);
        }
        Chunk{arguments, module, scratch.intermediate, scratch.x, first, rows}.compute();
    }
}

void shrink(const lk_matrix& x, const BatchPlan& plan, int32_t module_index, const lk_matrix& s, Workspace& workspace) {
    const LoraModule& module = plan.table->module(module_index);
    Scratch scratch = reserve(workspace, x.rows, x.columns, &plan);
    scratch.intermediate.set_offsets(plan, module);
    for (int64_t first = 0; first < x.rows; first += kChunkRows) {
        const int64_t rows = std::min(kChunkRows, x.rows - first);
        widen_rows(x, first, rows, scratch.x);
        shrink_entries(plan, module, scratch.intermediate, plan.row_offsets[size_t(first)],
                       plan.row_offsets[size_t(first + rows)], scratch.x, padded_depth(x.columns), first);
    }
    for (int64_t e = 0; e < plan.entries() && s.columns > 0; ++e) {
        float* out = row_of<float>(s, e);
        std::fill(out, out + s.columns, 0.0f);
        const Adapter* adapter = plan.adapter_of(e);
        if (adapter == nullptr) continue;
        for_each_update(*adapter, module, scratch.intermediate.values + scratch.intermediate.offsets[e],
                        [&](const LoraFactors& factors, const lk_output_slice&, const float* values) {
                            out = std::copy_n(values, factors.rank, out);
                        });
    }
}

void expand(const lk_matrix& s, const BatchPlan& plan, int32_t module_index, const lk_matrix& y, Workspace& workspace) {
    const LoraModule& module = plan.table->module(module_index);
    Scratch scratch = reserve(workspace, 0, 0, &plan);
    scratch.intermediate.set_offsets(plan, module);
    for (int64_t e = 0; e < plan.entries(); ++e) {
        const Adapter* adapter = plan.adapter_of(e);
        if (adapter == nullptr || s.columns == 0) continue;
        const float* in = row_of<const float>(s, e);
        for_each_update(*adapter, module, scratch.intermediate.values + scratch.intermediate.offsets[e],
                        [&](const LoraFactors& factors, const lk_output_slice&, float* values) {
                            std::copy_n(in, factors.rank, values);
                            in += factors.rank;
                        });
    }
    const LinearArguments arguments{y, nullptr, &plan, module_index, nullptr, y};
    for (int64_t first = 0; first < y.rows; first += kChunkRows) {
        const int64_t rows = std::min(kChunkRows, y.rows - first);
        Chunk{arguments, &module, scratch.intermediate, nullptr, first, rows}.compute();
    }
}

}  // namespace lk::cpu::portable
