// Products of a warpgroup: what they read and when, and what must come before and after them.
#include "core/numeric.h"
#include "device/harness.h"
#include "platform/cuda/barrier.cuh"
#include "platform/cuda/fence.cuh"
#include "platform/cuda/mma.cuh"
#include "platform/cuda/wgmma.cuh"

namespace lk::emulated::testing {
namespace {

constexpr int rows = 64;
constexpr int columns = 16;
constexpr int depth = 32;  // two products of 16

enum class Mistake {
    none,
    no_proxy_fence,
    no_fence,
    no_commit,
    no_wait,
    overwrite,
    touch_accumulators,
    one_warp_missing,
    other_operands,
    no_barrier
};

// Rows of 64 bytes, groups of 8 rows 512 bytes apart, chunks of 16 bytes xored with bits 7 and 8 of the address.
struct alignas(1024) Operands {
    uint16_t a[rows * depth];
    uint16_t b[columns * depth];
};

__device__ int place(int row, int k) {
    const int byte = row / 8 * 512 + row % 8 * 64 + k * 2;
    return (byte ^ (byte >> 3 & 0x30)) / 2;
}

template <Mistake Planted>
__global__ void multiply(const uint16_t* a, const uint16_t* b, float* out) {
    LK_DYNAMIC_SHARED(Operands, operands);
    const int thread = int(threadIdx.x);
    for (int i = thread; i < rows * depth; i += 128) operands->a[place(i / depth, i % depth)] = a[i];
    for (int i = thread; i < columns * depth; i += 128) operands->b[place(i / depth, i % depth)] = b[i];
    if constexpr (Planted != Mistake::no_proxy_fence) cuda::fence_proxy_async_shared();
    if constexpr (Planted != Mistake::no_barrier) cuda::block_sync();
    float d[columns / 2];
    for (float& value : d) value = 1.0f;
    if constexpr (Planted != Mistake::no_fence) cuda::wgmma_fence();
    if (Planted != Mistake::one_warp_missing || thread / 32 != 2) {
        for (int k = 0; k < depth; k += 16) {
            const int shift = Planted == Mistake::other_operands && thread / 32 == 1 ? 16 - k : k;
            cuda::wgmma_m64k16<Half, columns>(
                d, cuda::shared_descriptor(operands->a + shift, cuda::Swizzle::b64, 0, 512),
                cuda::shared_descriptor(operands->b + shift, cuda::Swizzle::b64, 0, 512), true);
        }
        if constexpr (Planted != Mistake::no_commit) cuda::wgmma_commit();
        if constexpr (Planted == Mistake::overwrite) operands->a[place(thread % 64, 0)] = 0;
        if constexpr (Planted == Mistake::touch_accumulators) d[0] += 1.0f;
        if constexpr (Planted != Mistake::no_wait) cuda::wgmma_wait<0>();
    }
    cuda::wgmma_pin(d);
    const int lane = thread % 32;
    for (int i = 0; i < columns / 2; ++i) {
        const int row = thread / 32 * 16 + lane / 4 + i / 2 % 2 * 8;
        out[row * columns + i / 4 * 8 + lane % 4 * 2 + i % 2] = d[i];
    }
}

class Wgmma : public ::testing::Test {
  protected:
    template <Mistake Planted>
    auto launch() {
        return [this](const Options& options) {
            return run(multiply<Planted>, {.block = 128, .dynamic_shared = sizeof(Operands)}, options, a.data(),
                       b.data(), out.data());
        };
    }

    static std::vector<uint16_t> small_integers(int count, int step) {
        std::vector<uint16_t> values;
        for (int i = 0; i < count; ++i) values.push_back(from_float<Half>(float(i * step % 13 - 6)).bits);
        return values;
    }

    Array<uint16_t> a{small_integers(rows * depth, 5)};
    Array<uint16_t> b{small_integers(columns * depth, 7)};
    Array<float> out = Array<float>::uninitialised(rows * columns);
};

TEST_F(Wgmma, Multiplies) {
    expect_silent(launch<Mistake::none>());
    for (int m = 0; m < rows; ++m) {
        for (int n = 0; n < columns; ++n) {
            float sum = 1.0f;
            for (int k = 0; k < depth; ++k) {
                sum += to_float(Half{a.data()[m * depth + k]}) * to_float(Half{b.data()[n * depth + k]});
            }
            ASSERT_EQ(out.read()[size_t(m * columns + n)], sum) << m << ", " << n;
        }
    }
}

TEST_F(Wgmma, FindsMissingFences) {
    expect_found("without fence_proxy_async", launch<Mistake::no_proxy_fence>());
    expect_found("without wgmma_fence", launch<Mistake::no_fence>());
    expect_found("at wgmma wgmma_test.cu:", launch<Mistake::no_barrier>());
}

TEST_F(Wgmma, FindsMissingWaitsAndCommits) {
    expect_found("missing commit", launch<Mistake::no_commit>());
    expect_found("touches accumulators before wgmma_wait", launch<Mistake::no_wait>());
    expect_found("touches accumulators before wgmma_wait", launch<Mistake::touch_accumulators>());
    expect_found("in-flight overwrite", launch<Mistake::overwrite>());
}

TEST_F(Wgmma, NeedsAllFourWarpsWithTheSameOperands) {
    expect_found("waits in wgmma_wait", launch<Mistake::one_warp_missing>());
    expect_found("has other operands than another warp", launch<Mistake::other_operands>());
}

__global__ void add_up_ones(const float* start, float* out) {
    const uint32_t ones = 0x3c003c00u;
    const uint32_t a[4] = {ones, ones, ones, ones};
    const uint32_t b[2] = {ones, ones};
    const float c[4] = {start[0], start[1], start[2], start[3]};
    float d[4];
    cuda::mma_m16n8k16<Half>(d, a, b, c);
    if (threadIdx.x == 0) {
        for (int i = 0; i < 4; ++i) out[i] = d[i];
    }
}

TEST(Mma, RoundsOnceOrDropsLowBits) {
    // 16 ones beside 2^24, whose last bit is 2; beside 2^28, whose last bit is 32.
    const Array<float> start(std::vector<float>{0.0f, 0x1p24f, 0x1p28f, -0x1p28f});
    const auto out = Array<float>::uninitialised(4);
    Options options;
    EXPECT_TRUE(run(add_up_ones, {}, options, start.data(), out.data()).ok());
    EXPECT_EQ(out.read(), (std::vector<float>{16.0f, 0x1p24f + 16, 0x1p28f, -0x1p28f + 16}));
    options.rounding = Rounding::truncating;
    EXPECT_TRUE(run(add_up_ones, {}, options, start.data(), out.data()).ok());
    EXPECT_EQ(out.read(), (std::vector<float>{16.0f, 0x1p24f, 0x1p28f, -0x1p28f}));
}

}  // namespace
}  // namespace lk::emulated::testing
