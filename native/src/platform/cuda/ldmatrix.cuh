// Loads of 8×8 matrices of 16-bit elements from shared memory into the layout of mma fragments.
#pragma once

#include "platform/cuda/target.h"

namespace lk::cuda {

// Lane 8i + j gives the address of row j of matrix i (16 bytes, 16-byte aligned; lanes beyond the last matrix are not
// read). Lane 4g + t receives in r[i] elements 2t and 2t+1 of row g of matrix i; of column g in the _trans forms.
// Like every load it orders nothing: other lanes' stores need a warp_sync or a barrier between.
// PTX ISA 9.7.14.5.15 "ldmatrix".
LK_DEVICE void ldmatrix_x1(uint32_t (&r)[1], const void* row LK_SITE) {
#if defined(LK_EMULATED)
    emulated::ldmatrix_x1(r, row, site);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%0}, [%1];"
                 : "=r"(r[0])
                 : "r"(shared_address(row))
                 : "memory");
#endif
}

LK_DEVICE void ldmatrix_x2(uint32_t (&r)[2], const void* row LK_SITE) {
#if defined(LK_EMULATED)
    emulated::ldmatrix_x2(r, row, site);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
                 : "=r"(r[0]), "=r"(r[1])
                 : "r"(shared_address(row))
                 : "memory");
#endif
}

LK_DEVICE void ldmatrix_x4(uint32_t (&r)[4], const void* row LK_SITE) {
#if defined(LK_EMULATED)
    emulated::ldmatrix_x4(r, row, site);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address(row))
                 : "memory");
#endif
}

LK_DEVICE void ldmatrix_x1_trans(uint32_t (&r)[1], const void* row LK_SITE) {
#if defined(LK_EMULATED)
    emulated::ldmatrix_x1_trans(r, row, site);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16 {%0}, [%1];"
                 : "=r"(r[0])
                 : "r"(shared_address(row))
                 : "memory");
#endif
}

LK_DEVICE void ldmatrix_x2_trans(uint32_t (&r)[2], const void* row LK_SITE) {
#if defined(LK_EMULATED)
    emulated::ldmatrix_x2_trans(r, row, site);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
                 : "=r"(r[0]), "=r"(r[1])
                 : "r"(shared_address(row))
                 : "memory");
#endif
}

LK_DEVICE void ldmatrix_x4_trans(uint32_t (&r)[4], const void* row LK_SITE) {
#if defined(LK_EMULATED)
    emulated::ldmatrix_x4_trans(r, row, site);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address(row))
                 : "memory");
#endif
}

}  // namespace lk::cuda
