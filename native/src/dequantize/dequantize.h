// The weights themselves: y[N, K] = W, by the producer's fp32 operations, rounded to y's dtype.
#pragma once

#include "lorakernels.h"

namespace lk::cpu {

namespace reference {
void dequantize(const lk_weight& weight, const lk_matrix& y);
}
namespace portable {
void dequantize(const lk_weight& weight, const lk_matrix& y);
}

}  // namespace lk::cpu
