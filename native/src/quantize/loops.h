// The loops of a path. Everything is in an unnamed namespace and calls nothing, so that
// the linker can not mix the copies that are compiled for different instruction sets.
#pragma once

#include <cstring>

#include "platform/cpu/vector_width.h"
#include "quantize/path.h"

namespace lk::cpu::quantizing {
namespace {

static_assert(Path::kLanes % kVectorWidth == 0);

// The compiler's own vectors, as wide as registers are.
typedef float Floats __attribute__((vector_size(kVectorWidth * sizeof(float))));
typedef int32_t Ints __attribute__((vector_size(kVectorWidth * sizeof(int32_t))));
typedef uint32_t Bits __attribute__((vector_size(kVectorWidth * sizeof(uint32_t))));
typedef uint16_t Halves __attribute__((vector_size(kVectorWidth * sizeof(uint16_t))));
typedef uint8_t Bytes __attribute__((vector_size(kVectorWidth)));

#define LK_INLINE static inline __attribute__((always_inline))

template <class Vector>
LK_INLINE void load(const void* from, Vector& vector) {
    std::memcpy(&vector, from, sizeof vector);
}
template <class Vector>
LK_INLINE void store(void* to, const Vector& vector) {
    std::memcpy(to, &vector, sizeof vector);
}

// Exact for subnormals, infinities and NaN. The exponent keeps its field of 5 bits; the product rebiases it.
LK_INLINE void widen_halves(const void* from, float* to) {
    Halves halves;
    load(from, halves);
    const Bits bits = __builtin_convertvector(halves, Bits);
    const Bits magnitude = (bits & 0x7fffu) << 13;
    const Bits not_finite = (Bits)(magnitude >= 0x0f800000u) & 0x7f800000u;
    store(to, (Bits)((Floats)magnitude * 0x1p112f) | (bits & 0x8000u) << 16 | not_finite);
}
LK_INLINE void widen_bfloats(const void* from, float* to) {
    Halves halves;
    load(from, halves);
    store(to, __builtin_convertvector(halves, Bits) << 16);
}

// Calls step(from, to) for every kVectorWidth elements of 16 bits; the last ones by way of a copy.
template <class Step>
LK_INLINE void for_each_vector(const uint16_t* from, int64_t count, float* to, const Step& step) {
    int64_t i = 0;
    for (; i + kVectorWidth <= count; i += kVectorWidth) step(from + i, to + i);
    if (i == count) return;
    uint16_t last[kVectorWidth] = {};
    float widened[kVectorWidth];
    std::memcpy(last, from + i, size_t(count - i) * sizeof *from);
    step(last, widened);
    std::memcpy(to + i, widened, size_t(count - i) * sizeof *to);
}

void widen(const void* elements, lk_dtype dtype, int64_t count, float* values) {
    const auto* const halves = static_cast<const uint16_t*>(elements);
    if (dtype == LK_DTYPE_F32) {
        std::memcpy(values, elements, size_t(count) * sizeof(float));
    } else if (dtype == LK_DTYPE_F16) {
        for_each_vector(halves, count, values, [](const void* from, float* to) { widen_halves(from, to); });
    } else {
        for_each_vector(halves, count, values, [](const void* from, float* to) { widen_bfloats(from, to); });
    }
}

// From a float's bits to an integer of the same order, and back; NaN comes behind the infinities.
template <class Integer>
LK_INLINE void order(Integer& bits) {
    bits ^= bits >> 31 & 0x7fffffff;
}

Range range(const float* values, int64_t count) {
    int32_t lowest = 0, highest = 0;
    const auto include = [&](int32_t value) {
        lowest = value < lowest ? value : lowest;
        highest = value > highest ? value : highest;
    };
    int64_t i = 0;
    Ints lows{}, highs{};
    for (; i + kVectorWidth <= count; i += kVectorWidth) {
        Ints bits;
        load(values + i, bits);
        order(bits);
        lows = bits < lows ? bits : lows;
        highs = bits > highs ? bits : highs;
    }
    for (int lane = 0; lane < kVectorWidth; ++lane) include(lows[lane]), include(highs[lane]);
    for (; i < count; ++i) {
        auto bits = __builtin_bit_cast(int32_t, values[i]);
        order(bits);
        include(bits);
    }
    constexpr int32_t infinity = 0x7f800000;
    const bool finite = highest < infinity && lowest > ~infinity;
    order(lowest);
    return {
        .lowest = __builtin_bit_cast(float, lowest), .highest = __builtin_bit_cast(float, highest), .finite = finite};
}

void rank(const float* values, int64_t count, float factor, const float* thresholds, uint8_t* ranks) {
    for (int64_t i = 0; i < count; i += kVectorWidth) {
        Floats scaled;
        load(values + i, scaled);
        scaled *= factor;
        Ints below{};  // minus their number
        for (int t = 0; t < 15; ++t) below += scaled > thresholds[t];
        store(ranks + i, __builtin_convertvector(-below, Bytes));
    }
}

void round(const float* values, int64_t count, float scale, float zero, uint8_t* codes) {
    for (int64_t i = 0; i < count; i += kVectorWidth) {
        Floats code;
        load(values + i, code);
        code = code / scale + zero;
        code = code > -8.0f ? code : Floats{} - 8.0f;
        code = code < 7.0f ? code : Floats{} + 7.0f;
        // The sum's lowest bits are the value rounded to nearest even.
        store(codes + i, __builtin_convertvector(((Bits)(code + 0x1.8p23f) + 8) & 15, Bytes));
    }
}

template <int FirstShift>
void pack(const uint8_t* codes, int64_t count, uint8_t* bytes) {
    for (int64_t i = 0; i < count / 2; ++i) {
        bytes[i] = static_cast<uint8_t>(codes[2 * i] << FirstShift | codes[2 * i + 1] << (4 - FirstShift));
    }
    if (count % 2 != 0) bytes[count / 2] = static_cast<uint8_t>(codes[count - 1] << FirstShift);
}

constexpr Path path() {
    return {.widen = widen,
            .range = range,
            .rank = rank,
            .round = round,
            .pack_high_first = pack<4>,
            .pack_low_first = pack<0>};
}

#undef LK_INLINE

}  // namespace
}  // namespace lk::cpu::quantizing
