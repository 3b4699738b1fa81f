// Random weights in the formats that are compared.
#pragma once

#include "lorakernels.h"
#include "side.h"

namespace bench {

Weight random_weight(const std::string& format, int64_t group, const Shape& shape);

// The weight with its rows moved on by `by`: other bytes, the same numbers.
Weight rotated(const Weight& weight, const Shape& shape, int by);

// The weight as the C ABI takes it; points into it.
lk_weight_tensors describe(const Weight& weight, const Shape& shape);

// Bytes in the checkpoint.
int64_t bytes_of(const Weight& weight);

// What int4 weights are called by their group, others by their format.
std::string name_of(const std::string& format, int64_t group);

// Rows [0, rows) and columns [0, columns) of x * W^T in double precision, W exactly dequantized.
std::vector<double> reference(const Weight& weight, const Shape& shape, const std::vector<float>& x, int64_t rows,
                              int64_t columns);

}  // namespace bench
