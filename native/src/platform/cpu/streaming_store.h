// Stores past the caches, of what nobody reads soon: whole lines go to memory without having been read from there.
// Everything is in an unnamed namespace: units for different instruction sets share no function.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace lk::cpu {
namespace {

// Copies lines of 64 bytes to where lines begin. Where registers are smaller than a line these are common stores.
inline void store_lines(uint8_t* place, const void* lines, int64_t bytes) {
#if defined(__AVX512F__)
    for (int64_t i = 0; i < bytes; i += 64) {
        _mm512_stream_si512(reinterpret_cast<__m512i*>(place + i),
                            _mm512_loadu_si512(static_cast<const uint8_t*>(lines) + i));
    }
#else
    std::memcpy(place, lines, size_t(bytes));
#endif
}

// Before others may read what was stored.
inline void finish_stores() {
#if defined(__AVX512F__)
    _mm_sfence();
#endif
}

}  // namespace
}  // namespace lk::cpu
