// Matrices in registers: rows become columns. Everything is in an unnamed namespace: units for different
// instruction sets share no function.
#pragma once

#include <cstdint>
#include <utility>

namespace lk::cpu::packing {
namespace {

// V is one of the compiler's vectors of unsigned integers.
// a0 b0 a1 b1 ... of the lower halves, or of the upper ones.
template <bool Upper, class V, int... Lane>
inline V interleave(V a, V b, std::integer_sequence<int, Lane...>) {
    constexpr int kSize = sizeof...(Lane);
    return __builtin_shuffle(a, b, V{(Lane / 2 + Lane % 2 * kSize + (Upper ? kSize / 2 : 0))...});
}

// Interleaving row i with row i + half rotates the bits of an element's index, row before column, by one. As often as
// there are bits of a row's number: columns of a square become rows, those of other matrices runs of elements.
template <int Rows, class V>
inline void transpose(V (&rows)[Rows]) {
    constexpr std::make_integer_sequence<int, sizeof(V) / sizeof(V{}[0])> kLanes;
    for (int times = 1; times < Rows; times *= 2) {
        V next[Rows];
#pragma GCC unroll 8
        for (int i = 0; i < Rows / 2; ++i) {
            next[2 * i] = interleave<false>(rows[i], rows[i + Rows / 2], kLanes);
            next[2 * i + 1] = interleave<true>(rows[i], rows[i + Rows / 2], kLanes);
        }
#pragma GCC unroll 16
        for (int i = 0; i < Rows; ++i) rows[i] = next[i];
    }
}

}  // namespace
}  // namespace lk::cpu::packing
