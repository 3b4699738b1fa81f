#include "core/matrix.h"

#include <cstdint>

namespace lk {

bool overlaps(const lk_matrix& a, const lk_matrix& b) {
    if (is_empty(a) || is_empty(b)) return false;
    // Unsigned arithmetic: differences wrap and are compared as distances.
    const auto a_begin = reinterpret_cast<uintptr_t>(a.data);
    const auto b_begin = reinterpret_cast<uintptr_t>(b.data);
    uintptr_t a_pitch = uintptr_t(a.row_stride) * uintptr_t(size_of(a.dtype));
    uintptr_t b_pitch = uintptr_t(b.row_stride) * uintptr_t(size_of(b.dtype));
    if (a.rows == 1) a_pitch = b_pitch;  // a single row has no pitch of its own
    if (b.rows == 1) b_pitch = a_pitch;
    const uintptr_t a_width = uintptr_t(a.columns) * uintptr_t(size_of(a.dtype));
    const uintptr_t b_width = uintptr_t(b.columns) * uintptr_t(size_of(b.dtype));
    const uintptr_t a_end = a_begin + a_pitch * uintptr_t(a.rows - 1) + a_width;
    const uintptr_t b_end = b_begin + b_pitch * uintptr_t(b.rows - 1) + b_width;
    if (a_end <= b_begin || b_end <= a_begin) return false;
    if (a_pitch != b_pitch) return true;
    // The ranges meet and the pitch is the same: compare where the rows start within the pitch.
    const uintptr_t distance =
        a_begin <= b_begin ? (b_begin - a_begin) % a_pitch : (a_pitch - (a_begin - b_begin) % a_pitch) % a_pitch;
    return distance < a_width || distance + b_width > a_pitch;
}

void read_row(const lk_matrix& matrix, int64_t row, int64_t column, int64_t count, float* out) {
    if (count == 0) return;  // there may be no memory to point at
    with_dtype(matrix.dtype, [&]<class T>(T*) {
        const T* source = row_of<const T>(matrix, row) + column;
        for (int64_t i = 0; i < count; ++i) out[i] = to_float(source[i]);
    });
}

void write_row(const lk_matrix& matrix, int64_t row, int64_t column, int64_t count, const float* values) {
    if (count == 0) return;
    with_dtype(matrix.dtype, [&]<class T>(T*) {
        T* destination = row_of<T>(matrix, row) + column;
        for (int64_t i = 0; i < count; ++i) destination[i] = from_float<T>(values[i]);
    });
}

float read(const lk_matrix& matrix, int64_t row, int64_t column) {
    float value;
    read_row(matrix, row, column, 1, &value);
    return value;
}

void write(const lk_matrix& matrix, int64_t row, int64_t column, float value) {
    write_row(matrix, row, column, 1, &value);
}

}  // namespace lk
