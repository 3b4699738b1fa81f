// How the eight codes of a word lie in its 32 bits, so that decoding them into the four registers of a fragment takes
// the fewest instructions. A slot is 2 * register + half.
#pragma once

#include <cstdint>

namespace lk::cuda {

enum class Arrangement : uint8_t {
    nibbles,  // affine: register r is bits 4r ... 4r + 3 of either half
    pairs,    // tables: register r is byte r, its even k in the low nibble: the index of a pair of values
    e2m1,     // bits where a 16-bit float wants them, after a shift: see below
};

// E2M1 codes: sign, two bits of exponent, one of mantissa. In f16 these are bits 15 and 11 ... 9. Four such sets do not
// fit into 16 bits by shifts alone; these do with two shifts and two multiplications by sums of two powers of two.
struct E2m1Place {
    int sign;
    int magnitude;  // lowest of three bits
};

constexpr E2m1Place e2m1_place(int reg) {
    // 15, 12, 14, 13: a number, because a table that threads index takes a stack.
    return {0xdecf >> (4 * reg) & 15, 9 - 3 * reg};
}

// The bits of one code at its slot; those of the other slots are 0.
constexpr uint32_t place_code(Arrangement arrangement, uint32_t code, int slot) {
    const int reg = slot / 2;
    const int half = slot % 2;
    switch (arrangement) {
        case Arrangement::nibbles:
            return code << (4 * reg + 16 * half);
        case Arrangement::pairs:
            return code << (8 * reg + 4 * half);
        case Arrangement::e2m1:
            break;
    }
    const E2m1Place place = e2m1_place(reg);
    return ((code >> 3) << place.sign | (code & 7) << place.magnitude) << (16 * half);
}

constexpr uint32_t code_at(Arrangement arrangement, uint32_t word, int slot) {
    const int reg = slot / 2;
    const int half = slot % 2;
    switch (arrangement) {
        case Arrangement::nibbles:
            return word >> (4 * reg + 16 * half) & 15;
        case Arrangement::pairs:
            return word >> (8 * reg + 4 * half) & 15;
        case Arrangement::e2m1:
            break;
    }
    const E2m1Place place = e2m1_place(reg);
    const uint32_t bits = word >> (16 * half);
    return (bits >> place.sign & 1) << 3 | (bits >> place.magnitude & 7);
}

}  // namespace lk::cuda
