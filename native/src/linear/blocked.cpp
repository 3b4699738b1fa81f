// How all paths but the reference compute
//   1. a chunk of rows of x becomes fp32, padded with zeros to whole steps;
//   2. shrink: the chunk's entries, grouped by adapter, one rank tile an item;
//   3. the path prepares the rows for its kernels;
//   4. a panel of 32 columns an item: it is multiplied with every row of the chunk, then the rows' adapters and the
//   bias
//      are added and the result is rounded.
// No sum depends on how rows, panels or threads are divided.
#include "lora/blocked.h"

#include "linear/linear.h"

namespace lk::cpu::blocked {
namespace {

// Rows of x in a weight's packed order of k; otherwise as widen_rows.
void gather_rows(const lk_matrix& x, int64_t first_row, int64_t rows, const int32_t* order, float* out) {
    const int64_t stride = padded_depth(x.columns);
    ThreadPool::shared().parallel_for(rows, [&](int64_t r) {
        with_dtype(x.dtype, [&]<class T>(T*) {
            const T* const source = row_of<const T>(x, first_row + r);
            for (int64_t k = 0; k < x.columns; ++k) out[r * stride + k] = to_float(source[order[k]]);
        });
    });
}

struct Chunk {
    const Path& path;          // of the adapters
    const Path& product_path;  // of the base
    const LinearArguments& arguments;
    const LoraModule* module;  // NULL without adapters
    const Scratch& scratch;
    int64_t first_row;
    int64_t rows;

    // Rows [begin, end) of the chunk, one panel.
    void compute_panel(int64_t panel, int64_t begin, int64_t end) const {
        const int64_t column = panel * PanelLayout::kColumns;
        const int64_t columns = std::min(PanelLayout::kColumns, arguments.y.columns - column);
        alignas(64) float totals[kChunkRows][PanelLayout::kColumns];
        std::fill_n(totals[0], (end - begin) * PanelLayout::kColumns, 0.0f);
        product_path.add_product(arguments.weight, arguments.compute, panel, {scratch.x, scratch.prepared}, begin,
                                 end - begin, totals);
        float bias[PanelLayout::kColumns];
        if (arguments.bias != nullptr) read_row(*arguments.bias, 0, column, columns, bias);
        for (int64_t r = begin; r < end; ++r) {
            float* const total = totals[r - begin];
            if (module != nullptr) {
                expand_row(path, *arguments.plan, *module, scratch.intermediate, first_row + r, column, columns, total);
            }
            if (arguments.bias != nullptr) {
                for (int64_t c = 0; c < columns; ++c) total[c] += bias[c];
            }
            if (!all_finite(total, columns)) undo_overflow(r, column, columns, total);
            write_row(arguments.y, first_row + r, column, columns, total);
        }
    }

    // fp32 sums of large finite numbers can reach both infinities and cancel to NaN where the exact sum is a number.
    // Where the inputs are finite, such results are computed again in double precision.
    void undo_overflow(int64_t r, int64_t column, int64_t columns, float* total) const {
        const int64_t row = first_row + r;
        const int64_t in_features = arguments.x.columns;
        if (!all_finite(scratch.x + r * padded_depth(in_features), in_features)) return;
        if (module != nullptr && !arguments.plan->adapters_are_finite(row, *module)) return;
        double exact[PanelLayout::kColumns];
        reference::compute_columns(arguments, row, {column, columns}, exact);
        for (int64_t c = 0; c < columns; ++c) {
            if (!std::isfinite(total[c])) total[c] = static_cast<float>(exact[c]);
        }
    }

    void compute() const {
        widen_rows(arguments.x, first_row, rows, scratch.x);
        if (module != nullptr) {
            shrink_rows(path, *arguments.plan, *module, scratch.intermediate, scratch.x, first_row, rows);
        }
        // From here on x is only multiplied by W.
        const lk_weight& weight = arguments.weight;
        if (!weight.in_order) gather_rows(arguments.x, first_row, rows, weight.order(), scratch.x);
        ThreadPool::shared().parallel_for(divide_up(rows, kPreparedRows), [&](int64_t item) {
            product_path.prepare(weight, arguments.compute, scratch.x, item * kPreparedRows, rows, scratch.prepared);
        });
        // Rows of one item: all, so that W is read once, unless there are too few panels to keep the threads busy.
        const int64_t panels = weight.layout.panels();
        const int64_t wanted_items = int64_t(ThreadPool::shared().thread_count()) * 4;
        const int64_t pieces = std::clamp<int64_t>(divide_up(wanted_items, panels), 1, divide_up(rows, kPreparedRows));
        const int64_t rows_of_item = round_up(divide_up(rows, pieces), kPreparedRows);
        ThreadPool::shared().parallel_for(panels * pieces, [&](int64_t item) {
            const int64_t begin = item % pieces * rows_of_item;
            const int64_t end = std::min(rows, begin + rows_of_item);
            if (begin < end) compute_panel(item / pieces, begin, end);
        });
    }
};

}  // namespace

void linear(const Path& path, const LinearArguments& arguments, Workspace& workspace) {
    const PanelLayout& layout = arguments.weight.layout;
    const Path& product_path = layout.rows_begin_units || path.takes_straddling_groups ? path : kPortablePath;
    const BatchPlan* plan = arguments.plan;
    const LoraModule* module = plan == nullptr ? nullptr : &plan->table->module(arguments.module);
    Scratch scratch = Scratch::reserve(workspace, path, arguments.x.rows, arguments.x.columns, plan, module);
    for (int64_t first = 0; first < arguments.x.rows; first += kChunkRows) {
        const int64_t rows = std::min(kChunkRows, arguments.x.rows - first);
        Chunk{path, product_path, arguments, module, scratch, first, rows}.compute();
    }
}

int64_t workspace_bytes(const Path& path, int64_t rows, int64_t in_features, int64_t entries, int64_t rank_tiles) {
    return Scratch::bytes(path, rows, in_features, entries, rank_tiles);
}

}  // namespace lk::cpu::blocked
