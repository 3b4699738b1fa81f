// Tensor-core products of one warp.
#pragma once

#include <type_traits>

#include "platform/cuda/target.h"

namespace lk::cuda {

// d = a·b + c for a 16×16 A (rows), a 16×8 B (columns) and 16×8 fp32 C and D; d and c may be the same array. Of lane
// 4g + t: a = rows g, g+8, g, g+8 of columns 2t..2t+1 (a[0], a[1]) and 2t+8..2t+9 (a[2], a[3]); b = rows 2t..2t+1 and
// 2t+8..2t+9 of column g; c and d = row g (0, 1) and g+8 (2, 3) of columns 2t and 2t+1.
// PTX ISA 9.7.14.5.14 "mma", fragments 9.7.14.5.8.
template <class T>
LK_DEVICE void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                            const float (&c)[4] LK_SITE) {
    static_assert(std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>);
#if defined(LK_EMULATED)
    emulated::mma_m16n8k16<T>(d, a, b, c, site);
#else
    if constexpr (std::is_same_v<T, Half>) {
        asm volatile(
            "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
            "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%10, %11, %12, %13};"
            : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "f"(c[0]), "f"(c[1]), "f"(c[2]),
              "f"(c[3]));
    } else {
        asm volatile(
            "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
            "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%10, %11, %12, %13};"
            : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "f"(c[0]), "f"(c[1]), "f"(c[2]),
              "f"(c[3]));
    }
#endif
}

}  // namespace lk::cuda
