#include "core/matrix.h"
#include "dequantize/dequantize.h"
#include "packing/decode.h"

namespace lk::cpu::reference {

void dequantize(const lk_weight& weight, const lk_matrix& y) {
    for (int64_t n = 0; n < y.rows; ++n) {
        for (int64_t k = 0; k < y.columns; ++k) {
            const float value = weight_at(weight, n, k);
            write_row(y, n, original_k(weight, k), 1, &value);
        }
    }
}

}  // namespace lk::cpu::reference
