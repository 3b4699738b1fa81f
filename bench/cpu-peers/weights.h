// Random weights in the formats that are compared.
#pragma once

#include "lorakernels.h"
#include "side.h"

namespace bench {

Weight random_weight(const std::string& format, int64_t group, const Shape& shape);

// The weight as the C ABI takes it; points into it.
lk_weight_tensors describe(const Weight& weight, const Shape& shape);

// Bytes in the checkpoint.
int64_t bytes_of(const Weight& weight);

// Rows [0, rows) and columns [0, columns) of x * W^T in double precision, W exactly dequantized.
std::vector<double> reference(const Weight& weight, const Shape& shape, const std::vector<float>& x, int64_t rows,
                              int64_t columns);

}  // namespace bench
