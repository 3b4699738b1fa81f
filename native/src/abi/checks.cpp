#include "abi/checks.h"

#include <algorithm>

namespace lk::abi {
namespace {

using ll = long long;

}  // namespace

void check_device_kind(const lk_device_kind& kind, const char* name) {
    if (raw(kind) < LK_DEVICE_CPU || raw(kind) > LK_DEVICE_EMULATED) {
        fail(LK_INVALID_ARGUMENT,
             "%s: is %d; allowed are LK_DEVICE_CPU (0), LK_DEVICE_CUDA (1), LK_DEVICE_EMULATED (2)", name, raw(kind));
    }
}

void check_device(const DeviceId& device, const Backend& backend, const char* name) {
    const DeviceId here = backend.device();
    if (device == here) return;
    if (device.kind == here.kind && device.index == here.index) {
        fail(LK_INVALID_ARGUMENT, "%s: belongs to another CUDA context of device %d than this one does", name,
             here.index);
    }
    constexpr const char* kinds[] = {"CPU", "CUDA device", "emulated device"};
    fail(LK_INVALID_ARGUMENT, "%s: is on %s %d, the context on %s %d", name, kinds[device.kind], device.index,
         kinds[here.kind], here.index);
}

void require(const void* pointer, const char* name) {
    if (pointer == nullptr) fail(LK_INVALID_ARGUMENT, "%s: is NULL", name);
}

void require_size(uint32_t struct_size, size_t expected, const char* name) {
    if (struct_size != expected) {
        fail(LK_ABI_MISMATCH, "%s.struct_size: is %u, this library (%s, ABI %u) has %zu; were they built together?",
             name, struct_size, lk_version(), lk_abi_version(), expected);
    }
}

void check_reserved(uint32_t value, const char* name) {
    if (value != 0) fail(LK_INVALID_ARGUMENT, "%s: is %u; set 0", name, value);
}

void check_extent(int64_t value, const char* name) {
    if (value < 0 || value > kLargestExtent) {
        fail(LK_INVALID_ARGUMENT, "%s: is %lld; allowed are 0 ... %lld", name, ll(value), ll(kLargestExtent));
    }
}

void check_shape(const lk_matrix* matrix, const char* name) {
    require(matrix, name);
    if (!is_dtype(raw(matrix->dtype))) {
        fail(LK_INVALID_ARGUMENT, "%s.dtype: is %d; allowed are f32 (0), f16 (1), bf16 (2)", name, raw(matrix->dtype));
    }
    if (matrix->rows < 0 || matrix->rows > kLargestExtent || matrix->columns < 0 || matrix->columns > kLargestExtent) {
        fail(LK_INVALID_ARGUMENT, "%s: is %lld x %lld; rows and columns are 0 ... %lld", name, ll(matrix->rows),
             ll(matrix->columns), ll(kLargestExtent));
    }
    check_reserved(matrix->reserved, "reserved of a matrix");
    if (is_empty(*matrix)) return;
    if (matrix->row_stride < matrix->columns || matrix->row_stride > kLargestExtent) {
        fail(LK_INVALID_ARGUMENT, "%s.row_stride: is %lld elements; allowed are %lld (its columns) ... %lld", name,
             ll(matrix->row_stride), ll(matrix->columns), ll(kLargestExtent));
    }
    if (matrix->rows * matrix->row_stride > (int64_t{1} << 60)) {
        fail(LK_INVALID_ARGUMENT, "%s: %lld rows of %lld elements do not fit the address space", name, ll(matrix->rows),
             ll(matrix->row_stride));
    }
}

void check_matrix(const lk_matrix* matrix, const char* name) {
    check_shape(matrix, name);
    if (is_empty(*matrix)) return;
    if (matrix->data == nullptr) {
        fail(LK_INVALID_ARGUMENT, "%s.data: is NULL with %lld x %lld elements", name, ll(matrix->rows),
             ll(matrix->columns));
    }
    if (reinterpret_cast<uintptr_t>(matrix->data) % uintptr_t(size_of(matrix->dtype)) != 0) {
        fail(LK_INVALID_ARGUMENT, "%s.data: is %p, not aligned to its dtype's %lld bytes", name, matrix->data,
             ll(size_of(matrix->dtype)));
    }
}

void check_columns(const lk_matrix& matrix, const char* name, int64_t expected, const char* why) {
    if (matrix.columns != expected) {
        fail(LK_SHAPE_MISMATCH, "%s.columns: is %lld, %s %lld", name, ll(matrix.columns), why, ll(expected));
    }
}

void check_rows(const lk_matrix& matrix, const char* name, int64_t expected, const char* why) {
    if (matrix.rows != expected) {
        fail(LK_SHAPE_MISMATCH, "%s.rows: is %lld, %s %lld", name, ll(matrix.rows), why, ll(expected));
    }
}

void check_same_dtype(const lk_matrix& x, const lk_matrix& y) {
    if (x.dtype != y.dtype) {
        fail(LK_SHAPE_MISMATCH, "y.dtype: is %s, x has %s; they must be the same", name_of(y.dtype), name_of(x.dtype));
    }
}

void check_no_overlap(const lk_matrix& y, const char* y_name, const lk_matrix& input, const char* input_name) {
    if (overlaps(y, input)) {
        fail(LK_OVERLAP, "%s: its memory at %p (%lld x %lld) overlaps %s at %p (%lld x %lld)", y_name, y.data,
             ll(y.rows), ll(y.columns), input_name, input.data, ll(input.rows), ll(input.columns));
    }
}

int64_t widest_ranks(const BatchPlan& plan, const LoraModule& module) {
    int64_t widest = 0;
    for (const auto& adapter : plan.segments) widest = std::max(widest, adapter->ranks_in(module));
    return widest;
}

void check_intermediate(const lk_matrix& s, const BatchPlan& plan, const LoraModule& module) {
    if (s.dtype != LK_DTYPE_F32) fail(LK_SHAPE_MISMATCH, "s.dtype: is %s; shrink's result is f32", name_of(s.dtype));
    check_rows(s, "s", plan.entries(), "the batch's entries are");
    const int64_t columns = widest_ranks(plan, module);
    if (s.columns < columns) {
        fail(LK_SHAPE_MISMATCH, "s.columns: is %lld, the module's ranks in this batch need %lld", ll(s.columns),
             ll(columns));
    }
}

void check_bytes(const lk_bytes& bytes, const char* name) {
    if (bytes.size < 0) fail(LK_INVALID_ARGUMENT, "tensors.%s.size: is %lld bytes", name, ll(bytes.size));
    if (bytes.size > 0 && bytes.data == nullptr) {
        fail(LK_INVALID_ARGUMENT, "tensors.%s.data: is NULL with %lld bytes", name, ll(bytes.size));
    }
}

}  // namespace lk::abi
