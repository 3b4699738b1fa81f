// What the lanes of a warp and the warps of a block do together.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

#include "core/numeric.h"
#include "platform/cuda_emulated/site.h"

namespace lk::emulated {

// ---- Warp ----

void warp_sync(uint32_t mask, Site site);
uint32_t shuffle_bits(uint32_t value, uint32_t source, uint32_t mask, Site site);
uint32_t shuffle_xor_bits(uint32_t value, uint32_t bits, uint32_t mask, Site site);
uint32_t shuffle_down_bits(uint32_t value, uint32_t delta, uint32_t mask, Site site);
uint32_t shuffle_up_bits(uint32_t value, uint32_t delta, uint32_t mask, Site site);
uint32_t ballot(bool predicate, uint32_t mask, Site site);
bool any(bool predicate, uint32_t mask, Site site);
bool all(bool predicate, uint32_t mask, Site site);
uint32_t match_any(uint32_t value, uint32_t mask, Site site);
bool elect_one(Site site);
uint32_t warp_reduce_add(uint32_t value, uint32_t mask, Site site);

LK_UNWATCHED inline int32_t warp_reduce_add(int32_t value, uint32_t mask, Site site) {
    return static_cast<int32_t>(warp_reduce_add(static_cast<uint32_t>(value), mask, site));
}

template <class T>
LK_UNWATCHED inline T shuffle(T value, uint32_t source, uint32_t mask, Site site) {
    return std::bit_cast<T>(shuffle_bits(std::bit_cast<uint32_t>(value), source, mask, site));
}
template <class T>
LK_UNWATCHED inline T shuffle_xor(T value, uint32_t bits, uint32_t mask, Site site) {
    return std::bit_cast<T>(shuffle_xor_bits(std::bit_cast<uint32_t>(value), bits, mask, site));
}
template <class T>
LK_UNWATCHED inline T shuffle_down(T value, uint32_t delta, uint32_t mask, Site site) {
    return std::bit_cast<T>(shuffle_down_bits(std::bit_cast<uint32_t>(value), delta, mask, site));
}
template <class T>
LK_UNWATCHED inline T shuffle_up(T value, uint32_t delta, uint32_t mask, Site site) {
    return std::bit_cast<T>(shuffle_up_bits(std::bit_cast<uint32_t>(value), delta, mask, site));
}

// ---- Tensor-core fragments ----

template <class T>
void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], const float (&c)[4], Site site);
extern template void mma_m16n8k16<Half>(float (&)[4], const uint32_t (&)[4], const uint32_t (&)[2], const float (&)[4],
                                        Site);
extern template void mma_m16n8k16<BFloat16>(float (&)[4], const uint32_t (&)[4], const uint32_t (&)[2],
                                            const float (&)[4], Site);

// Loads `matrices` matrices of 8×8 16-bit elements into r[0 … matrices−1].
void ldmatrix(uint32_t* r, const void* row, int matrices, bool transposed, Site site);

LK_UNWATCHED inline void ldmatrix_x1(uint32_t (&r)[1], const void* row, Site site) {
    ldmatrix(r, row, 1, false, site);
}
LK_UNWATCHED inline void ldmatrix_x2(uint32_t (&r)[2], const void* row, Site site) {
    ldmatrix(r, row, 2, false, site);
}
LK_UNWATCHED inline void ldmatrix_x4(uint32_t (&r)[4], const void* row, Site site) {
    ldmatrix(r, row, 4, false, site);
}
LK_UNWATCHED inline void ldmatrix_x1_trans(uint32_t (&r)[1], const void* row, Site site) {
    ldmatrix(r, row, 1, true, site);
}
LK_UNWATCHED inline void ldmatrix_x2_trans(uint32_t (&r)[2], const void* row, Site site) {
    ldmatrix(r, row, 2, true, site);
}
LK_UNWATCHED inline void ldmatrix_x4_trans(uint32_t (&r)[4], const void* row, Site site) {
    ldmatrix(r, row, 4, true, site);
}

// ---- Block ----

void block_sync(Site site);
bool block_sync_or(bool predicate, Site site);
bool block_sync_and(bool predicate, Site site);
void barrier_sync(int id, int threads, Site site);
void barrier_arrive(int id, int threads, Site site);

// ---- Grid ----

void grid_dependency_wait(Site site);
void grid_launch_dependents(Site site);

// ---- Registers ----

void change_registers(int registers, bool increase, Site site);

template <int Registers>
LK_UNWATCHED inline void registers_increase(Site site) {
    change_registers(Registers, true, site);
}
template <int Registers>
LK_UNWATCHED inline void registers_decrease(Site site) {
    change_registers(Registers, false, site);
}

// ---- Products of a warpgroup ----

// The operands of one wgmma of this thread: A by descriptor or in registers.
struct WgmmaOperands {
    float* accumulators;  // columns / 2 of them
    const uint32_t* a;    // null: a_descriptor
    uint64_t a_descriptor;
    uint64_t b_descriptor;
    int columns;  // N
    bool bfloat16;
    bool accumulate;
};

void wgmma(const WgmmaOperands& operands, Site site);
void wgmma_fence(Site site);
void wgmma_commit(Site site);
void wgmma_wait(int pending, Site site);

template <class T, int N>
LK_UNWATCHED inline void wgmma_m64k16(float (&d)[N / 2], uint64_t a_descriptor, uint64_t b_descriptor, bool accumulate,
                                      Site site) {
    wgmma({d, nullptr, a_descriptor, b_descriptor, N, std::is_same_v<T, BFloat16>, accumulate}, site);
}
template <class T, int N>
LK_UNWATCHED inline void wgmma_m64k16(float (&d)[N / 2], const uint32_t (&a)[4], uint64_t b_descriptor, bool accumulate,
                                      Site site) {
    wgmma({d, a, 0, b_descriptor, N, std::is_same_v<T, BFloat16>, accumulate}, site);
}
template <int Pending>
LK_UNWATCHED inline void wgmma_wait(Site site) {
    wgmma_wait(Pending, site);
}

}  // namespace lk::emulated
