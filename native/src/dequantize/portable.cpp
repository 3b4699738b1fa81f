#include "core/matrix.h"
#include "dequantize/dequantize.h"
#include "packing/decode_portable.h"
#include "platform/cpu/thread_pool.h"

namespace lk::cpu::portable {

void dequantize(const lk_weight& weight, const lk_matrix& y) {
    const PanelLayout& layout = weight.layout;
    const ValueTable table(weight.values);
    ThreadPool::shared().parallel_for(layout.panels(), [&](int64_t panel) {
        DecodedBlock block;
        for (int64_t first_k = 0; first_k < layout.in_features; first_k += kBlockDepth) {
            const int64_t depth = std::min(kBlockDepth, layout.in_features - first_k);
            decode_block(weight, table, panel, first_k, depth, block);
            for (int64_t c = 0; c < layout.columns(panel); ++c) {
                write_row(y, panel * PanelLayout::kColumns + c, first_k, depth, block.values[c]);
            }
        }
    });
}

}  // namespace lk::cpu::portable
