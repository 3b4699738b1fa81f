// The bytes of x that matmuls ask for, and those that memory has to deliver behind a modelled L2.
#include <cstdio>

#include "matmul/batch_rig.h"
#include "matmul/decode_rig.h"
#include "matmul/l2_model.h"

namespace lk::cuda::testing {
namespace {

constexpr size_t kDeviceL2 = 40 << 20;  // A100's; later ones are larger

// Multiples of a tensor's size.
struct Traffic {
    double asked_of_x = 0;
    double delivered_of_x = 0;
    double delivered_of_codes = 0;
};

template <class Launch>
Traffic traffic_of(const char* regime, int64_t tokens, int64_t n, int64_t k, size_t l2_bytes, const Launch& launch) {
    const SampleWeight weight(affine_format("int4 g128", ScaleKind::f16, 128, OffsetKind::none, 8), n, k, 5);
    const SampleMatrix x(LK_DTYPE_F16, tokens, k, 0, 6);
    L2Model l2(l2_bytes);
    Options options;
    options.checked = false;
    options.preemption = 1;  // blocks keep step, as they do on a GPU
    options.observer = &l2;
    const MatmulResult result = run_matmul(weight, x.view(), {}, options, launch);
    EXPECT_TRUE(result.report.ok()) << text_of(result.report);
    const void* const memory = x.view().data;
    const double size = double(tokens * k * 2);
    const Traffic traffic{double(emulated::find_allocation(memory)->bytes_read) / size,
                          double(l2.delivered_of(memory)) / size,
                          double(l2.delivered_of(weight.view().codes)) / double(weight.code_bytes())};
    std::printf(
        "%s, M %lld, N %lld, K %lld, L2 %zu KiB: of x %.2f times its size asked, %.2f delivered; of codes %.2f\n",
        regime, static_cast<long long>(tokens), static_cast<long long>(n), static_cast<long long>(k), l2_bytes >> 10,
        traffic.asked_of_x, traffic.delivered_of_x, traffic.delivered_of_codes);
    return traffic;
}

// Every panel of W asks for all of x.
TEST(TokenTraffic, OfDecodeIsXOnceForEachPanel) {
    for (const int64_t tokens : {1, 8}) {
        const Traffic traffic = traffic_of("decode", tokens, 1024, 4096, kDeviceL2, launch_decode);
        EXPECT_LE(traffic.asked_of_x, 1.01 * 1024 / 32);
        EXPECT_LE(traffic.delivered_of_x, 1.01);
        EXPECT_LE(traffic.delivered_of_codes, 1.01);
    }
}

// Every tile of 128 rows of W asks for its tokens.
TEST(TokenTraffic, OfBatchIsXOnceForEachTileOfRows) {
    constexpr int64_t n = 512;
    for (const auto& [tokens, tile] : {std::pair{16, 32}, {64, 64}, {300, 128}}) {
        const Traffic traffic = traffic_of("batch", tokens, n, 1024, kDeviceL2, batch_of({tile, 1, false, 8}));
        EXPECT_LE(traffic.asked_of_x, 1.01 * n / 128);
        EXPECT_LE(traffic.delivered_of_x, 1.01);
        EXPECT_LE(traffic.delivered_of_codes, 1.01);
    }
}

// Neither x nor W fits into the cache, but eight tiles of tokens and what the blocks have of W do: memory delivers x
// once, and W once for each strip of eight tiles, not for each tile.
TEST(TokenTraffic, OfManyTilesIsXOnceAndTheWeightOnceForEachStrip) {
    constexpr int64_t tokens = 8 * 24;
    constexpr int64_t n = 1024;
    constexpr int64_t k = 512;
    constexpr size_t strip = 64 * k * 2;
    constexpr size_t row_tile = 128 * k / 2;
    // Two blocks, which this seed starts together.
    const auto launch = batch_of({8, 1, false, 2});
    const Traffic traffic = traffic_of("prefill", tokens, n, k, strip + 3 * row_tile, launch);
    EXPECT_LE(traffic.asked_of_x, 1.01 * n / 128);
    EXPECT_LE(traffic.delivered_of_x, 1.1);
    EXPECT_LE(traffic.delivered_of_codes, 1.1 * 3);
    // A cache that holds less than a strip does not help so: the model does count.
    const Traffic starved = traffic_of("prefill", tokens, n, k, strip / 4, launch);
    EXPECT_GE(starved.delivered_of_x, 2 * traffic.delivered_of_x);
}

}  // namespace
}  // namespace lk::cuda::testing
