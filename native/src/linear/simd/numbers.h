// A register of stored floating-point numbers as fp32: numbers that lie together, or the first and second ones of
// pairs.
#pragma once

#include "core/dtype.h"
#include "platform/cpu/simd.h"

namespace lk::cpu {
namespace {

inline Floats load_numbers(const float* p) {
    return load(p);
}
inline Floats load_numbers(const Half* p) {
    return load_halves(&p->bits);
}
inline Floats load_numbers(const BFloat16* p) {
    return load_bfloats(&p->bits);
}

inline void load_pairs(const Half* pairs, Floats& first, Floats& second) {
    const Ints words = load_bits(pairs);
    first = low_halves(words);
    second = low_halves(shift_right<16>(words));
}
inline void load_pairs(const BFloat16* pairs, Floats& first, Floats& second) {
    const Ints words = load_bits(pairs);
    first = as_floats(shift_left<16>(words));
    second = as_floats(shift_left<16>(shift_right<16>(words)));
}
inline void load_pairs(const float* pairs, Floats& first, Floats& second) {
    separate(load(pairs), load(pairs + kLanes), first, second);
}

}  // namespace
}  // namespace lk::cpu
