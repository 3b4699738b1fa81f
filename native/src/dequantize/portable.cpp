#include "core/matrix.h"
#include "dequantize/dequantize.h"
#include "packing/decode_portable.h"
#include "platform/cpu/thread_pool.h"

namespace lk::cpu::portable {
namespace {

// Weights of packed k to where they are in the checkpoint's order.
void write_weights(const lk_weight& weight, const lk_matrix& y, int64_t row, int64_t first_k, int64_t count,
                   const float* values) {
    if (weight.in_order) return write_row(y, row, first_k, count, values);
    const int32_t* order = weight.order() + first_k;
    with_dtype(y.dtype, [&]<class T>(T*) {
        T* const destination = row_of<T>(y, row);
        for (int64_t i = 0; i < count; ++i) destination[order[i]] = from_float<T>(values[i]);
    });
}

}  // namespace

void dequantize(const lk_weight& weight, const lk_matrix& y) {
    const PanelLayout& layout = weight.layout;
    const ValueTable table(weight.codec.values);
    ThreadPool::shared().parallel_for(layout.panels(), [&](int64_t panel) {
        DecodedBlock block;
        for (int64_t first_k = 0; first_k < layout.in_features; first_k += kBlockDepth) {
            const int64_t depth = std::min(kBlockDepth, layout.in_features - first_k);
            decode_block(weight, table, panel, first_k, depth, block);
            for (int64_t c = 0; c < layout.columns(panel); ++c) {
                write_weights(weight, y, panel * PanelLayout::kColumns + c, first_k, depth, block.values[c]);
            }
        }
    });
}

}  // namespace lk::cpu::portable
