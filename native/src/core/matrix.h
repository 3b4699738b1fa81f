// Helpers on the ABI's matrix view.
#pragma once

#include "core/dtype.h"

namespace lk {

inline bool is_empty(const lk_matrix& matrix) {
    return matrix.rows == 0 || matrix.columns == 0;
}

// Start of a row, which must exist.
template <class T>
constexpr T* row_of(const lk_matrix& matrix, int64_t row) {
    return static_cast<T*>(matrix.data) + row * matrix.row_stride;
}

// Whether two views share an element. Exact for views of one buffer with the same row pitch (column slices side by
// side do not overlap); for other pairs it says yes as soon as their address ranges meet.
bool overlaps(const lk_matrix& a, const lk_matrix& b);

// Reads count elements of a row, from `column` on, as fp32.
void read_row(const lk_matrix& matrix, int64_t row, int64_t column, int64_t count, float* out);

// Rounds count fp32 values into a row, from `column` on.
void write_row(const lk_matrix& matrix, int64_t row, int64_t column, int64_t count, const float* values);

// One element.
float read(const lk_matrix& matrix, int64_t row, int64_t column);
void write(const lk_matrix& matrix, int64_t row, int64_t column, float value);

}  // namespace lk
