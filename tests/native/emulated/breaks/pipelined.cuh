// A matmul as kernels for sm_80 are written: copies several stages ahead, ldmatrix, mma, K split over warps and over
// blocks, the last block of a tile adding the blocks' parts up in order. C[M×N] = A[M×K]·B[N×K]ᵀ, fp16 in, fp32 out.
#pragma once

#include "breaks/bugs.h"
#include "platform/cuda/async_copy.cuh"
#include "platform/cuda/barrier.cuh"
#include "platform/cuda/global_memory.cuh"
#include "platform/cuda/ldmatrix.cuh"
#include "platform/cuda/mma.cuh"
#include "platform/cuda/warp.cuh"

namespace lk::breaks::pipelined {

using namespace cuda;

constexpr int tile_m = 32;
constexpr int tile_n = 64;
constexpr int tile_k = 32;
constexpr int stages = 3;
constexpr int threads = 128;  // warps: two along N times two along K
constexpr int chunk = 8;      // elements of a 16-byte copy
constexpr int chunks = tile_k / chunk;

struct Stage {
    uint16_t a[tile_m * tile_k];
    uint16_t b[tile_n * tile_k];
};
constexpr uint32_t shared_bytes = stages * sizeof(Stage);

struct Arguments {
    const uint16_t* a;
    const uint16_t* b;
    float* parts;        // [splits][M][N]
    uint32_t* arrivals;  // [tiles of C]
    float* c;
    uint32_t* rows_done;
    uint32_t* nonzero;  // sums of C that are not zero
    int m, n, k, splits;
};

// Rows are 64 bytes; eight of them, read together by ldmatrix, fall on different banks.
template <bool Wrong>
__device__ __forceinline__ int place(int row, int column_chunk) {
    const int permuted = Wrong ? column_chunk ^ (row & 3) : column_chunk ^ (row / 2 & 3);
    return row * tile_k + permuted * chunk;
}

// Starts this thread's share of the copies of one K tile. What lies outside the matrices becomes zero.
template <Bug bug>
__device__ __forceinline__ void start_copies(const Arguments& args, Stage& stage, int tile, int m0, int n0) {
    const auto copy = [&](uint16_t* to, const uint16_t* from, int index, int first_row, int rows) {
        const int row = index / chunks;
        const int k = tile * tile_k + index % chunks * chunk;
        const int tail = (args.k - k) * 2;
        int bytes = tail < 0 ? 0 : tail < 16 ? tail : 16;
        if constexpr (bug == Bug::no_k_tail) bytes = 16;
        bool inside = first_row + row < rows;
        if constexpr (bug == Bug::no_row_predicate) inside = true;
        if (!inside) bytes = 0;
        const uint16_t* source = bytes == 0 ? from : from + int64_t(first_row + row) * args.k + k;
        cp_async_zero_fill<16>(to + place<false>(row, index % chunks), source, bytes);
    };
    const int thread = static_cast<int>(threadIdx.x);
    copy(stage.a, args.a, thread, m0, args.m);
    for (int i = 0; i < 2; ++i) copy(stage.b, args.b, thread + i * threads, n0, args.n);
}

// The products of one K tile: this warp's 16 of its 32 k.
template <Bug bug>
__device__ __forceinline__ void multiply(const Stage& stage, float (&sums)[2][4][4], int warp_n, int warp_k) {
    const int lane = static_cast<int>(lane_id());
    constexpr bool wrong = bug == Bug::wrong_swizzle_on_read;
    uint32_t a[2][4];
    for (int i = 0; i < 2; ++i) {
        const uint16_t* row = stage.a + place<wrong>(i * 16 + lane % 16, warp_k * 2 + lane / 16);
        if constexpr (bug == Bug::divergent_ldmatrix) {
            if (lane < 16) ldmatrix_x4(a[i], row);
        } else {
            ldmatrix_x4(a[i], row);
        }
        if constexpr (bug == Bug::swapped_fragments) {
            const uint32_t second = a[i][1];
            a[i][1] = a[i][2];
            a[i][2] = second;
        }
    }
    for (int j = 0; j < 4; j += 2) {
        uint32_t b[4];
        int k_half = lane / 8 % 2;
        if constexpr (bug == Bug::wrong_matrix_address) k_half = lane / 16;
        ldmatrix_x4(b, stage.b + place<wrong>(warp_n * 32 + j * 8 + lane / 16 * 8 + lane % 8, warp_k * 2 + k_half));
        for (int half = 0; half < 2; ++half) {
            const uint32_t pair[2] = {b[half * 2], b[half * 2 + 1]};
            for (int i = 0; i < 2; ++i) mma_m16n8k16<Half>(sums[i][j + half], a[i], pair, sums[i][j + half]);
        }
    }
}

// Calls body(row, column, value) for each of this warp's sums that lies in C.
template <Bug bug, class Body>
__device__ __forceinline__ void for_each_sum(const Arguments& args, float (&sums)[2][4][4], int m0, int n0, int warp_n,
                                             Body body) {
    const int lane = static_cast<int>(lane_id());
    for (int i = 0; i < 2; ++i) {
        for (int j = 0; j < 4; ++j) {
            for (int e = 0; e < 4; ++e) {
                const int row = m0 + i * 16 + lane / 4 + e / 2 * 8;
                const int column = n0 + warp_n * 32 + j * 8 + lane % 4 * 2 + e % 2;
                bool inside = row < args.m && column < args.n;
                if constexpr (bug == Bug::no_column_predicate) inside = row < args.m;
                if (inside) body(row, column, sums[i][j][e]);
            }
        }
    }
}

template <Bug bug>
__global__ void __launch_bounds__(threads) kernel(Arguments args) {
    LK_DYNAMIC_SHARED(Stage, ring);
    LK_SHARED(bool, last);
    const int thread = static_cast<int>(threadIdx.x);
    const int warp = thread / 32;
    const int warp_n = warp % 2;
    const int warp_k = warp / 2;
    const int m0 = static_cast<int>(blockIdx.y) * tile_m;
    const int n0 = static_cast<int>(blockIdx.x) * tile_n;
    const int split = static_cast<int>(blockIdx.z);
    const int tiles = (args.k + tile_k - 1) / tile_k;
    const int tiles_of_split = (tiles + args.splits - 1) / args.splits;
    const int first = split * tiles_of_split;
    int end = first + tiles_of_split < tiles ? first + tiles_of_split : tiles;
    if constexpr (bug == Bug::slice_left_out) end = first + tiles / args.splits;

    if constexpr (bug == Bug::early_exit_before_barrier) {
        if (m0 + thread >= args.m + 64) return;
    }
    for (int stage = 0; stage < stages - 1; ++stage) {
        if (first + stage < end) start_copies<bug>(args, ring[stage], first + stage, m0, n0);
        cp_async_commit();
    }
    float sums[2][4][4] = {};
    for (int tile = first; tile < end; ++tile) {
        const int next = tile + stages - 1;
        const auto refill = [&] {
            if (next < end) start_copies<bug>(args, ring[(next - first) % stages], next, m0, n0);
            if constexpr (bug == Bug::no_commit_at_the_end) {
                if (next < end) cp_async_commit();
            } else {
                cp_async_commit();
            }
        };
        if constexpr (bug == Bug::refill_before_barrier) refill();
        if constexpr (bug == Bug::refill_before_barrier || bug == Bug::wait_one_group_short) {
            cp_async_wait<stages - 1>();
        } else if constexpr (bug != Bug::no_wait_for_copies) {
            cp_async_wait<stages - 2>();
        }
        if constexpr (bug == Bug::barrier_skipped_by_a_warp) {
            if (warp != 3 || tile != first + 1) block_sync();
        } else if constexpr (bug == Bug::barrier_with_wrong_count) {
            barrier_sync(1, threads / 2);
        } else if constexpr (bug != Bug::no_barrier_after_copies) {
            block_sync();
        }
        if constexpr (bug != Bug::refill_before_barrier) refill();
        int stage = (tile - first) % stages;
        if constexpr (bug == Bug::wrong_stage) stage = (tile - first + 1) % stages;
        multiply<bug>(ring[stage], sums, warp_n, warp_k);
    }
    cp_async_wait<0>();
    if constexpr (bug != Bug::no_barrier_before_reuse) block_sync();

    // The second half of K hands its sums to the first through the memory of the ring.
    float* exchange = reinterpret_cast<float*>(ring) + warp_n * 32 * 32 + static_cast<int>(lane_id());
    float* flat = &sums[0][0][0];
    if (warp_k == 1) {
        for (int i = 0; i < 32; ++i) exchange[i * 32] = flat[i];
    }
    if constexpr (bug != Bug::no_barrier_in_reduction) block_sync();
    if (warp_k == 0) {
        for (int i = 0; i < 32; ++i) flat[i] += exchange[i * 32];
        for_each_sum<bug>(args, sums, m0, n0, warp_n, [&](int row, int column, float value) {
            args.parts[(int64_t(split) * args.m + row) * args.n + column] = value;
        });
    }

    // The block that comes last adds the parts in their order.
    if constexpr (bug != Bug::no_barrier_before_flag) block_sync();
    if (thread == 0) {
        const int rows = args.m - m0 < tile_m ? args.m - m0 : tile_m;
        if constexpr (bug == Bug::plain_addition) {
            *args.rows_done += static_cast<uint32_t>(rows);
        } else {
            red_add(args.rows_done, static_cast<uint32_t>(rows));
        }
        uint32_t* arrivals = args.arrivals + blockIdx.y * gridDim.x + blockIdx.x;
        uint32_t before = 0;
        if constexpr (bug == Bug::relaxed_counter) {
            before = atomic_add(arrivals, 1u);
        } else {
            before = atomic_add_acq_rel(arrivals, 1);
        }
        last = before == gridDim.z - (bug == Bug::wrong_last_block ? 2 : 1);
    }
    block_sync();
    if (!last || warp_k != 0) return;
    uint32_t nonzero = 0;
    for_each_sum<bug>(args, sums, m0, n0, warp_n, [&](int row, int column, float) {
        float total = 0;
        for (int part = 0; part < args.splits; ++part) {
            total += args.parts[(int64_t(part) * args.m + row) * args.n + column];
        }
        args.c[int64_t(row) * args.n + column] = total;
        nonzero += total != 0;
    });
    if constexpr (bug == Bug::shuffle_in_divergent_code) {
        if (m0 + static_cast<int>(lane_id()) < args.m) nonzero = warp_reduce_add(nonzero);
    } else {
        nonzero = warp_reduce_add(nonzero);
    }
    if (lane_id() == 0) red_add(args.nonzero, nonzero);
}

}  // namespace lk::breaks::pipelined
