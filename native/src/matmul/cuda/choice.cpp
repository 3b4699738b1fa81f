#include "matmul/cuda/choice.h"

#include <algorithm>
#include <limits>

#include "matmul/cuda/decode.h"

namespace lk::cuda {
namespace {

constexpr int kTiles[] = {8, 32, 64, 128};  // tokens
constexpr int kTileCount = 4;
constexpr int kMostSlices = 8;
// Of slices that have a block each: tiles, which have a counter each, and what is stored of them.
constexpr int64_t kMostMeetings = 4096;
// Of the plain kernel, whose slices are fixed in the invariant mode.
constexpr int64_t kMostPlainMeetings = 131072;
constexpr int64_t kMostSumBytes = int64_t(64) << 20;

struct Tuning {
    int compute_capability;
    int multiprocessors;       // nominal
    int resident[kTileCount];  // blocks of a multiprocessor
    int64_t record_cycles[kTileCount];
    int64_t item_cycles;
};

constexpr Tuning kTunings[] = {
    {80, 108, {4, 2, 2, 1}, {650, 650, 1100, 2150}, 3000},
    {86, 82, {2, 1, 1, 1}, {1300, 2150, 4300, 8500}, 3000},
    {89, 128, {2, 1, 1, 1}, {2800, 2800, 4300, 8500}, 4000},
    {90, 132, {4, 2, 2, 1}, {420, 480, 850, 1650}, 3000},
};

// The newest that is not newer than the device.
const Tuning& tuning_of(int compute_capability) {
    const Tuning* best = &kTunings[0];
    for (const Tuning& tuning : kTunings) {
        if (tuning.compute_capability <= compute_capability) best = &tuning;
    }
    return *best;
}

struct Problem {
    const Tuning& tuning;
    int64_t multiprocessors;
    int64_t row_tiles;
    int64_t records;
    int64_t tokens;
};

int64_t cost(const Problem& problem, int tile, int slices, bool apart) {
    const int64_t tiles = problem.row_tiles * divide_up(problem.tokens, kTiles[tile]);
    const int64_t items = divide_up(apart ? tiles * slices : tiles, problem.multiprocessors);
    const int64_t records = apart ? divide_up(problem.records, slices) : problem.records;
    const int64_t sum_cycles = slices == 1 ? 0 : 2 * 32 * kTiles[tile] * (apart ? 1 : slices);
    int64_t cycles = items * (records * problem.tuning.record_cycles[tile] + problem.tuning.item_cycles + sum_cycles);
    // The last block of a tile adds up all of its slices.
    if (apart && slices > 1) cycles += slices * 32 * kTiles[tile] + problem.tuning.item_cycles;
    return cycles;
}

bool fits(const FragmentView& weight, lk_dtype dtype, int tile, const DeviceFacts& device) {
    constexpr int kStaticBytes = 1024;
    const BatchKernel kernel = batch_kernel(batch_codec(weight.codec), dtype, kTiles[tile]);
    return kernel.shared_bytes + kStaticBytes <= device.shared_bytes_per_block;
}

bool may_be_apart(int64_t tiles, int tile, int slices) {
    const int64_t sum_bytes = 128 * kTiles[tile] * int64_t(sizeof(float));
    return slices > 1 && tiles <= kMostMeetings && tiles * slices * sum_bytes <= kMostSumBytes;
}

// The cheapest way with `slices` slices, or with any number of them where that is 0.
BatchChoice cheapest(const FragmentView& weight, lk_dtype dtype, const Problem& problem, int slices,
                     const DeviceFacts& device) {
    BatchChoice best{};
    int64_t best_cost = std::numeric_limits<int64_t>::max();
    for (int tile = 0; tile < kTileCount; ++tile) {
        if (!fits(weight, dtype, tile, device)) continue;
        const int64_t tiles = problem.row_tiles * divide_up(problem.tokens, kTiles[tile]);
        for (int wanted = slices == 0 ? 1 : slices; wanted <= (slices == 0 ? kMostSlices : slices); ++wanted) {
            if (batch_slices(weight.layout.in_features, wanted) != wanted) continue;
            for (const bool apart : {false, true}) {
                if (apart && !may_be_apart(tiles, tile, wanted)) continue;
                // One block for all slices needs none but those it is told to have.
                if (!apart && wanted > 1 && slices == 0) continue;
                const int64_t cycles = cost(problem, tile, wanted, apart);
                if (cycles >= best_cost) continue;
                best_cost = cycles;
                best = {kTiles[tile], wanted, apart, int(problem.multiprocessors) * problem.tuning.resident[tile]};
            }
        }
    }
    return best;
}

bool can_decode(const FragmentView& weight, lk_dtype dtype, int64_t tokens, const DeviceFacts& device) {
    return decode_kernel_for(weight, dtype) != nullptr &&
           decode_shared_bytes(weight, tokens, true, decode_warps(device.compute_capability)) <=
               device.shared_bytes_per_block;
}

}  // namespace

int64_t most_sum_bytes(int64_t out_features, int64_t in_features, int64_t tokens, const DeviceFacts& device) {
    constexpr int64_t kRows = 128;
    int64_t most = 0;
    const FragmentLayout layout{out_features, in_features, 128, true};
    // Slices get fewer as tiles get more: what is stored is largest for all tokens or for few.
    for (const bool invariant : {false, true}) {
        for (int64_t count = 1; count <= tokens; count = count < 1024 ? count + 1 : std::max(tokens, count + 1)) {
            const PlainChoice choice = plain_choice(layout, count, device.multiprocessors, invariant);
            most = std::max(most, plain_scratch(layout, count, choice).sums * int64_t(sizeof(float)));
        }
    }
    for (int tile = 0; tile < kTileCount; ++tile) {
        const int64_t bytes = kRows * kTiles[tile] * int64_t(sizeof(float));
        const int64_t tiles = divide_up(out_features, kRows) * divide_up(tokens, kTiles[tile]);
        const int64_t apart = std::min(tiles * kMostSlices * bytes, kMostSumBytes);
        const int64_t resident = device.multiprocessors * tuning_of(device.compute_capability).resident[tile];
        most = std::max({most, apart, std::min(tiles, resident) * bytes});
    }
    return most;
}

int64_t most_arrivals() {
    return kMostPlainMeetings;
}

MatmulChoice choose_matmul(const FragmentView& weight, lk_dtype dtype, int64_t tokens, const DeviceFacts& device,
                           bool batch_invariant) {
    // Without k there is nothing to cut into slices: bias and zeros.
    const bool plain = dtype == LK_DTYPE_F32 || !batch_multiplies(weight) || weight.layout.in_features == 0;
    if (plain) {
        return {MatmulPath::plain, 0, {}, plain_choice(weight.layout, tokens, device.multiprocessors, batch_invariant)};
    }
    if (tokens <= kDecodeTokens && !batch_invariant && can_decode(weight, dtype, tokens, device)) {
        return {MatmulPath::decode, decode_warps(device.compute_capability), {}, {}};
    }
    const Tuning& tuning = tuning_of(device.compute_capability);
    Problem problem{tuning, device.multiprocessors, divide_up(weight.layout.out_features, 128), weight.layout.records(),
                    tokens};
    if (!batch_invariant) return {MatmulPath::batch, 0, cheapest(weight, dtype, problem, 0, device), {}};
    Problem single = problem;
    single.multiprocessors = tuning.multiprocessors;
    single.tokens = 1;
    const int slices = cheapest(weight, dtype, single, 0, device).slices;
    return {MatmulPath::batch, 0, cheapest(weight, dtype, problem, slices, device), {}};
}

}  // namespace lk::cuda
