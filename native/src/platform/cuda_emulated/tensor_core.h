// The arithmetic of tensor cores.
#pragma once

#include <cstdint>

#include "platform/cuda_emulated/options.h"

namespace lk::emulated {

// d += A·B for A 16×16 and B 16×8, given as rows of A and columns of B in fp16 or bf16 bits.
//
// exact: the sum in double precision, rounded to fp32 once.
// truncating: all 16 products and the accumulator are aligned to the largest exponent among them, bits below fp32's 24
// are dropped, and so are those of the sum. This is the coarsest of what M. Fasi, N. Higham, M. Mikaitis and S. Pranesh
// found on tensor cores ("Numerical behavior of NVIDIA tensor cores", PeerJ Computer Science 7:e330, 2021): V100 keeps
// no bits below, later ones keep a few more and sum fewer products at a time.
void multiply_accumulate(float (&d)[16][8], const uint16_t (&a)[16][16], const uint16_t (&b)[8][16], bool bfloat16,
                         Rounding rounding);

}  // namespace lk::emulated
