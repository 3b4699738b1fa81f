// mma and ldmatrix: between the lanes' fragments and matrices.
#include <cstring>

#include "platform/cuda_emulated/collective.h"
#include "platform/cuda_emulated/findings.h"
#include "platform/cuda_emulated/primitives_warp.h"
#include "platform/cuda_emulated/scheduler.h"
#include "platform/cuda_emulated/tensor_core.h"

namespace lk::emulated {
namespace {

struct MmaFragments {
    float* d;
    const uint32_t* a;
    const uint32_t* b;
    const float* c;
};

void put_pair(uint16_t* place, uint32_t pair) {
    std::memcpy(place, &pair, sizeof pair);
}

// PTX ISA "Matrix Fragments for mma.m16n8k16": lane 4g + t.
template <bool IsBFloat16>
void mma_body(Warp& warp, uint32_t lanes, void* const* arguments) {
    if (lanes != all_lanes) stop("divergence", "mma in a warp with lanes 0x%08x only", lanes);
    uint16_t a[16][16];
    uint16_t b[8][16];
    float d[16][8];
    for (int lane = 0; lane < 32; ++lane) {
        const auto& fragments = *static_cast<const MmaFragments*>(arguments[lane]);
        const int g = lane / 4;
        const int t = lane % 4;
        put_pair(&a[g][2 * t], fragments.a[0]);
        put_pair(&a[g + 8][2 * t], fragments.a[1]);
        put_pair(&a[g][2 * t + 8], fragments.a[2]);
        put_pair(&a[g + 8][2 * t + 8], fragments.a[3]);
        put_pair(&b[g][2 * t], fragments.b[0]);
        put_pair(&b[g][2 * t + 8], fragments.b[1]);
        std::memcpy(&d[g][2 * t], fragments.c, 8);
        std::memcpy(&d[g + 8][2 * t], fragments.c + 2, 8);
    }
    Run& run = *warp.block->run;
    ++run.report->counters.mma;
    multiply_accumulate(d, a, b, IsBFloat16, run.options->rounding);
    for (int lane = 0; lane < 32; ++lane) {
        const auto& fragments = *static_cast<const MmaFragments*>(arguments[lane]);
        const int g = lane / 4;
        const int t = lane % 4;
        std::memcpy(fragments.d, &d[g][2 * t], 8);
        std::memcpy(fragments.d + 2, &d[g + 8][2 * t], 8);
    }
}

struct MatrixRows {
    const char* row;
    uint32_t* result;
};

constexpr int rows_per_matrix = 8;
constexpr int row_bytes = 16;

// Rows are read 16 bytes a bank group, 8 groups: rows beyond the first in a group take another cycle each.
uint32_t extra_cycles(const char* const (&rows)[rows_per_matrix]) {
    uint32_t most = 0;
    for (int i = 0; i < rows_per_matrix; ++i) {
        uint32_t in_group = 0;
        for (int j = 0; j < rows_per_matrix; ++j) {
            const bool same_group = (uintptr_t(rows[i]) ^ uintptr_t(rows[j])) / row_bytes % 8 == 0;
            bool repeated = false;
            for (int k = 0; k < j; ++k) repeated |= rows[k] == rows[j];
            if (same_group && !repeated) ++in_group;
        }
        if (in_group > most) most = in_group;
    }
    return most - 1;
}

template <int Matrices, bool Transposed>
void ldmatrix_body(Warp& warp, uint32_t lanes, void* const* arguments) {
    if (lanes != all_lanes) stop("divergence", "ldmatrix in a warp with lanes 0x%08x only", lanes);
    Counters& counters = warp.block->run->report->counters;
    ++counters.ldmatrix;
    for (int matrix = 0; matrix < Matrices; ++matrix) {
        const char* rows[rows_per_matrix];
        for (int i = 0; i < rows_per_matrix; ++i) {
            rows[i] = static_cast<const MatrixRows*>(arguments[matrix * rows_per_matrix + i])->row;
        }
        counters.bank_conflicts += extra_cycles(rows);
        for (int lane = 0; lane < 32; ++lane) {
            const int g = lane / 4;
            const int t = lane % 4;
            uint16_t pair[2];
            for (int e = 0; e < 2; ++e) {
                const char* const element = Transposed ? rows[2 * t + e] + 2 * g : rows[g] + 2 * (2 * t + e);
                std::memcpy(&pair[e], element, sizeof pair[e]);
            }
            std::memcpy(&static_cast<const MatrixRows*>(arguments[lane])->result[matrix], pair, sizeof pair);
        }
    }
}

template <bool Transposed>
CollectiveBody ldmatrix_body_of(int matrices) {
    if (matrices == 1) return ldmatrix_body<1, Transposed>;
    if (matrices == 2) return ldmatrix_body<2, Transposed>;
    return ldmatrix_body<4, Transposed>;
}

}  // namespace

template <class T>
void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], const float (&c)[4], Site site) {
    MmaFragments mine{d, a, b, c};
    collective("mma_m16n8k16", all_lanes, &mine, site, mma_body<std::is_same_v<T, BFloat16>>);
}

template void mma_m16n8k16<Half>(float (&)[4], const uint32_t (&)[4], const uint32_t (&)[2], const float (&)[4], Site);
template void mma_m16n8k16<BFloat16>(float (&)[4], const uint32_t (&)[4], const uint32_t (&)[2], const float (&)[4],
                                     Site);

void ldmatrix(uint32_t* r, const void* row, int matrices, bool transposed, Site site) {
    const char* const name = transposed ? "ldmatrix_trans" : "ldmatrix";
    Lane& lane = enter(name, site);
    Block& block = *lane.block;
    if (lane.number < matrices * rows_per_matrix) {
        if (!block.owns_shared(row) || block.offset(row) + row_bytes > block.shared_bytes) {
            stop("out of bounds", "gives ldmatrix a row at %p, which is not in shared memory", row);
        }
        if (block.offset(row) % row_bytes != 0) {
            stop("misaligned", "gives ldmatrix a row at shared memory +0x%x", block.offset(row));
        }
        if (block.run->checked()) note_shared_access(lane, row, row_bytes, AccessKind::read, nullptr);
    }
    MatrixRows mine{static_cast<const char*>(row), r};
    collective(name, all_lanes, &mine, site,
               transposed ? ldmatrix_body_of<true>(matrices) : ldmatrix_body_of<false>(matrices));
}

}  // namespace lk::emulated
