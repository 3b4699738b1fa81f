// Checks of a weight's tensors that several formats share. Each names the field, its value and what is allowed.
#pragma once

#include "core/error.h"
#include "formats/format.h"

namespace lk::formats {

inline void expect_group_size(const lk_weight_tensors& tensors, int64_t expected, const char* format) {
    if (tensors.group_size != expected) {
        fail(LK_INVALID_ARGUMENT, "tensors.group_size: is %lld; %s has %lld",
             static_cast<long long>(tensors.group_size), format, static_cast<long long>(expected));
    }
}

inline void expect_in_features_multiple_of(const lk_weight_tensors& tensors, int64_t multiple, const char* format) {
    if (tensors.in_features % multiple != 0) {
        fail(LK_INVALID_ARGUMENT, "tensors.in_features: is %lld; %s has multiples of %lld",
             static_cast<long long>(tensors.in_features), format, static_cast<long long>(multiple));
    }
}

}  // namespace lk::formats
