// y = x * W^T by its formula.
#pragma once

#include "core/matrix.h"
#include "packing/decode.h"

namespace lk::cpu::reference {

// One element of the product.
inline double product(const lk_matrix& x, int64_t row, const lk_weight& weight, int64_t n) {
    double sum = 0;
    for (int64_t k = 0; k < x.columns; ++k) {
        sum += double(read(x, row, original_k(weight, k))) * double(weight_at(weight, n, k));
    }
    return sum;
}

}  // namespace lk::cpu::reference
