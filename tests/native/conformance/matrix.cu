// mma and ldmatrix: which element of a matrix is in which register of which lane.
#include "conformance/checks.h"
#include "platform/cuda/ldmatrix.cuh"
#include "platform/cuda/mma.cuh"
#include "platform/cuda/warp.cuh"

namespace lk::conformance {
namespace {

using namespace cuda;

constexpr int lanes = 32;

// ---- mma ------------------------------------------------------------------------------------------------------------

// Registers of each lane as they are: the layout is the host's business.
template <class T>
__global__ void mma_kernel(const uint32_t* a, const uint32_t* b, const float* c, float* d) {
    const uint32_t lane = lane_id();
    uint32_t a_fragment[4];
    uint32_t b_fragment[2];
    float accumulator[4];
    for (int i = 0; i < 4; ++i) a_fragment[i] = a[lane * 4 + i];
    for (int i = 0; i < 2; ++i) b_fragment[i] = b[lane * 2 + i];
    for (int i = 0; i < 4; ++i) accumulator[i] = c[lane * 4 + i];
    float result[4];
    mma_m16n8k16<T>(result, a_fragment, b_fragment, accumulator);
    mma_m16n8k16<T>(accumulator, a_fragment, b_fragment, accumulator);  // d and c may be one
    for (int i = 0; i < 4; ++i) {
        d[lane * 4 + i] = result[i];
        d[lanes * 4 + lane * 4 + i] = accumulator[i];
    }
}

struct Matrices {
    std::vector<int> a = std::vector<int>(16 * 16);  // a[row · 16 + k]
    std::vector<int> b = std::vector<int>(16 * 8);   // b[k · 8 + column]
    std::vector<int> c = std::vector<int>(16 * 8);   // c[row · 8 + column]
};

template <class T>
uint32_t pair_of(int low, int high) {
    return uint32_t(from_float<T>(float(low)).bits) | uint32_t(from_float<T>(float(high)).bits) << 16;
}

// PTX ISA "Matrix Fragments for mma.m16n8k16 with floating point type": groupID = lane / 4, threadID = lane % 4.
template <class T>
void check_product(Bench& bench, const Matrices& m, const char* what) {
    std::vector<uint32_t> a(lanes * 4), b(lanes * 2);
    std::vector<float> c(lanes * 4), expected(lanes * 8);
    for (int lane = 0; lane < lanes; ++lane) {
        const int group = lane / 4;
        const int thread = lane % 4;
        for (int i = 0; i < 4; ++i) {
            const int row = i == 0 || i == 2 ? group : group + 8;
            const int k = thread * 2 + (i < 2 ? 0 : 8);
            a[lane * 4 + i] = pair_of<T>(m.a[row * 16 + k], m.a[row * 16 + k + 1]);
        }
        for (int i = 0; i < 2; ++i) {
            const int k = thread * 2 + (i < 1 ? 0 : 8);
            b[lane * 2 + i] = pair_of<T>(m.b[k * 8 + group], m.b[(k + 1) * 8 + group]);
        }
        for (int i = 0; i < 4; ++i) {
            const int row = i < 2 ? group : group + 8;
            const int column = thread * 2 + (i & 1);
            int sum = m.c[row * 8 + column];
            c[lane * 4 + i] = float(sum);
            for (int k = 0; k < 16; ++k) sum += m.a[row * 16 + k] * m.b[k * 8 + column];
            expected[lane * 4 + i] = expected[lanes * 4 + lane * 4 + i] = float(sum);
        }
    }
    const auto device_a = bench.copy(a), device_b = bench.copy(b);
    const auto device_c = bench.copy(c);
    const auto device_d = bench.zeros<float>(lanes * 8);
    bench.launch({}, mma_kernel<T>, device_a.data(), device_b.data(), device_c.data(), device_d.data());
    expect_equal(what, device_d.read(), expected);
}

template <class T>
void check_mma(Bench& bench) {
    // B picks eight columns of A, every element of A being its own number; then A picks the rows of B.
    for (int half = 0; half < 2; ++half) {
        Matrices columns;
        for (int i = 0; i < 256; ++i) columns.a[i] = i + 1;
        for (int n = 0; n < 8; ++n) columns.b[(n + half * 8) * 8 + n] = 1;
        check_product<T>(bench, columns, "A");
    }
    Matrices rows;
    for (int i = 0; i < 128; ++i) rows.b[i] = i + 1;
    for (int i = 0; i < 16; ++i) rows.a[i * 16 + i] = 1;
    check_product<T>(bench, rows, "B");
    Matrices accumulators;
    for (int i = 0; i < 128; ++i) accumulators.c[i] = i + 1;
    check_product<T>(bench, accumulators, "C");
    for (int repeat = 0; repeat < 8; ++repeat) {
        Matrices all;
        all.a = random_values<int>(bench, all.a.size(), -16, 16);
        all.b = random_values<int>(bench, all.b.size(), -16, 16);
        all.c = random_values<int>(bench, all.c.size(), -1000, 1000);
        check_product<T>(bench, all, "product");
    }
}

// ---- ldmatrix -------------------------------------------------------------------------------------------------------

// Each lane's register i: what ldmatrix gave for the row that `rows` names for the lane (in 16-byte units).
template <int Matrices, bool Transposed>
__global__ void ldmatrix_kernel(const uint16_t* contents, int elements, const uint32_t* rows, uint32_t* registers) {
    LK_DYNAMIC_SHARED(uint16_t, shared);
    for (int i = static_cast<int>(lane_id()); i < elements; i += lanes) shared[i] = contents[i];
    warp_sync();
    const void* row = shared + rows[lane_id()] * 8;
    uint32_t r[Matrices];
    if constexpr (Matrices == 1) {
        if constexpr (Transposed) {
            ldmatrix_x1_trans(r, row);
        } else {
            ldmatrix_x1(r, row);
        }
    } else if constexpr (Matrices == 2) {
        if constexpr (Transposed) {
            ldmatrix_x2_trans(r, row);
        } else {
            ldmatrix_x2(r, row);
        }
    } else {
        if constexpr (Transposed) {
            ldmatrix_x4_trans(r, row);
        } else {
            ldmatrix_x4(r, row);
        }
    }
    for (int i = 0; i < Matrices; ++i) registers[lane_id() * Matrices + i] = r[i];
}

// PTX ISA "ldmatrix": lane 8·i + j addresses row j of matrix i; lane l receives row l / 4, elements 2·(l % 4) and the
// next; with .trans, the column.
template <int Matrices, bool Transposed>
void check_ldmatrix(Bench& bench) {
    constexpr int rows = 64;
    std::vector<uint16_t> contents(rows * 8);
    for (int i = 0; i < rows * 8; ++i) contents[i] = static_cast<uint16_t>(i + 1);
    std::vector<uint32_t> row_of_lane(lanes);
    for (int lane = 0; lane < lanes; ++lane) row_of_lane[lane] = static_cast<uint32_t>(lane * 37 + 11) % rows;
    std::vector<uint32_t> expected(lanes * Matrices);
    for (int lane = 0; lane < lanes; ++lane) {
        for (int i = 0; i < Matrices; ++i) {
            const auto element = [&](int e) -> uint32_t {
                const int row = Transposed ? 2 * (lane % 4) + e : lane / 4;
                const int column = Transposed ? lane / 4 : 2 * (lane % 4) + e;
                return contents[row_of_lane[8 * i + row] * 8 + column];
            };
            expected[lane * Matrices + i] = element(0) | element(1) << 16;
        }
    }
    const auto device_contents = bench.copy(contents);
    const auto device_rows = bench.copy(row_of_lane);
    const auto registers = bench.zeros<uint32_t>(lanes * Matrices);
    bench.launch({.shared_bytes = rows * 16}, ldmatrix_kernel<Matrices, Transposed>, device_contents.data(), rows * 8,
                 device_rows.data(), registers.data());
    expect_equal("registers", registers.read(), expected);
}

}  // namespace

std::vector<Check> matrix_checks() {
    return {
        {"mma m16n8k16 f16", 80, check_mma<Half>},          {"mma m16n8k16 bf16", 80, check_mma<BFloat16>},
        {"ldmatrix x1", 80, check_ldmatrix<1, false>},      {"ldmatrix x2", 80, check_ldmatrix<2, false>},
        {"ldmatrix x4", 80, check_ldmatrix<4, false>},      {"ldmatrix x1 trans", 80, check_ldmatrix<1, true>},
        {"ldmatrix x2 trans", 80, check_ldmatrix<2, true>}, {"ldmatrix x4 trans", 80, check_ldmatrix<4, true>},
    };
}

}  // namespace lk::conformance
