// Argument checks of the ABI. Each names the argument, its value and what is allowed.
#pragma once

#include "core/backend.h"
#include "core/enum_bits.h"
#include "core/error.h"
#include "core/matrix.h"
#include "lora/batch.h"
#include "packing/weight.h"

namespace lk::abi {

// Rejects absurd sizes before any arithmetic on them: products of two stay within 64 bits.
inline constexpr int64_t kLargestExtent = int64_t{1} << 31;

// What lies in one device's memory means nothing to another.
void check_device(const DeviceId& device, const Backend& backend, const char* name);

// Whether a device kind is one, for arguments and options.
void check_device_kind(const lk_device_kind& kind, const char* name);

void require(const void* pointer, const char* name);

// For structs that begin with struct_size.
void require_size(uint32_t struct_size, size_t expected, const char* name);

template <class T>
void require_struct(const T* value, const char* name) {
    require(value, name);
    require_size(value->struct_size, sizeof(T), name);
}

void check_reserved(uint32_t value, const char* name);

// 0 <= value <= kLargestExtent
void check_extent(int64_t value, const char* name);

// A well-formed view: dtype, extents, stride; its data is not looked at.
void check_shape(const lk_matrix* matrix, const char* name);
// That, and its data: alignment, no NULL where there are elements.
void check_matrix(const lk_matrix* matrix, const char* name);
void check_columns(const lk_matrix& matrix, const char* name, int64_t expected, const char* why);
void check_rows(const lk_matrix& matrix, const char* name, int64_t expected, const char* why);
void check_same_dtype(const lk_matrix& x, const lk_matrix& y);
void check_no_overlap(const lk_matrix& y, const char* y_name, const lk_matrix& input, const char* input_name);

// The most ranks that an adapter of the batch has in a module, summed over its slices.
int64_t widest_ranks(const BatchPlan& plan, const LoraModule& module);

// s as lk_lora_shrink writes it.
void check_intermediate(const lk_matrix& s, const BatchPlan& plan, const LoraModule& module);

// A host buffer of lk_weight_tensors.
void check_bytes(const lk_bytes& bytes, const char* name);

}  // namespace lk::abi
