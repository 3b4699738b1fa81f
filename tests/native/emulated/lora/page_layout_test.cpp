// How much of a GPU's memory adapters take beyond their own bytes.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <random>

#include "lora/cuda/adapter_pages.h"
#include "lora/descriptor.h"

namespace lk::test {
namespace {

using cuda::PageLayout;
using cuda::PageSlabs;

constexpr int64_t kPage = int64_t(2) << 20;
constexpr int64_t kLayers = 32;

struct Linear {
    int64_t in, out;
};
// Mistral-7B: q, k, v, o, gate, up, down; and q, v alone.
const std::vector<Linear> kAll = {{4096, 4096},  {4096, 1024},  {4096, 1024}, {4096, 4096},
                                  {4096, 14336}, {4096, 14336}, {14336, 4096}};
const std::vector<Linear> kQueryValue = {{4096, 4096}, {4096, 1024}};

int64_t own_bytes(const std::vector<Linear>& linears, int64_t rank) {
    int64_t elements = 0;
    for (const Linear& linear : linears) elements += rank * (linear.in + linear.out);
    return elements * kLayers * 2;
}

// As a table has them: A and B of every linear in 16 bits, and the descriptors of all linears of the base.
std::vector<int64_t> parts_of(const std::vector<Linear>& linears, int64_t rank) {
    std::vector<int64_t> parts;
    for (int64_t layer = 0; layer < kLayers; ++layer) {
        for (const Linear& linear : linears) {
            parts.push_back(tiles_bytes(rank, linear.in, 2));
            parts.push_back(tiles_bytes(rank, linear.out, 2));
        }
    }
    parts.push_back(round_up(kLayers * int64_t(kAll.size()) * int64_t(sizeof(LoraDescriptor)), 64));
    return parts;
}

// Adapters in a device's memory: whole pages, and pages that they share.
class Device {
  public:
    struct Resident {
        int64_t own;
        int64_t bytes;
        int64_t pages;
        std::vector<PageSlabs::Piece> pieces;
    };

    void add(const std::vector<Linear>& linears, int64_t rank) {
        const PageLayout layout(parts_of(linears, rank), kPage);
        Resident resident{own_bytes(linears, rank), layout.bytes, layout.request.pages, {}};
        for (const int64_t piece : layout.request.pieces) resident.pieces.push_back(slabs_.place(piece));
        residents_.push_back(std::move(resident));
    }
    void remove(size_t which) {
        for (const PageSlabs::Piece& piece : residents_[which].pieces) slabs_.release(piece);
        residents_.erase(residents_.begin() + ptrdiff_t(which));
    }
    size_t count() const { return residents_.size(); }
    int64_t sum(int64_t Resident::*of) const {
        return std::accumulate(residents_.begin(), residents_.end(), int64_t(0),
                               [&](int64_t sum, const Resident& resident) { return sum + resident.*of; });
    }
    int64_t taken() const { return (sum(&Resident::pages) + slabs_.pages()) * kPage; }

  private:
    PageSlabs slabs_{kPage};
    std::vector<Resident> residents_;
};

struct Mix {
    const char* name;
    std::vector<std::vector<Linear>> linears;
    std::vector<int64_t> ranks;
};

class PagesOfMix : public testing::TestWithParam<Mix> {};

TEST_P(PagesOfMix, TakeAtMostThreeInAHundredMoreThanTheAdapters) {
    const Mix& mix = GetParam();
    Device device;
    std::mt19937 random(1);
    int64_t slots = 0;
    for (const auto& linears : mix.linears) slots = std::max(slots, own_bytes(linears, mix.ranks.back()));
    // All of the mix, and then as many again as come and go at random.
    const auto add = [&](size_t i) {
        device.add(mix.linears[i % mix.linears.size()], mix.ranks[i / mix.linears.size() % mix.ranks.size()]);
    };
    const size_t kinds = mix.linears.size() * mix.ranks.size(), rounds = 1 + 200 / kinds;
    for (size_t i = 0; i < rounds * kinds; ++i) add(i);
    for (size_t i = 0; i < 2 * rounds * kinds; ++i) {
        device.remove(random() % device.count());
        add(random());
    }
    while (device.count() > 0 && device.count() > rounds * kinds / 2) device.remove(random() % device.count());
    for (size_t i = 0; i < rounds * kinds / 2; ++i) add(i);

    const double own = double(device.sum(&Device::Resident::own));
    EXPECT_LE(double(device.taken()), 1.03 * own);
    EXPECT_LE(double(device.sum(&Device::Resident::bytes)), double(device.taken()));
    RecordProperty("percent", std::to_string(100 * (double(device.taken()) / own - 1)));
    RecordProperty("padded_slots_percent", std::to_string(100 * (double(slots) * double(device.count()) / own - 1)));
    std::printf("%s: %zu adapters, %.2f %% over their own bytes; slots of the highest rank: %.0f %%\n", mix.name,
                device.count(), 100 * (double(device.taken()) / own - 1),
                100 * (double(slots) * double(device.count()) / own - 1));
}

std::vector<int64_t> powers() {
    return {4, 8, 16, 32, 64, 128, 256};
}
std::vector<int64_t> multiples() {
    std::vector<int64_t> ranks;
    for (int64_t rank = 4; rank <= 256; rank += rank < 8 ? 4 : 8) ranks.push_back(rank);
    return ranks;
}

INSTANTIATE_TEST_SUITE_P(Mistral7B, PagesOfMix,
                         testing::Values(Mix{"AllLinears", {kAll}, powers()},
                                         Mix{"QueryAndValue", {kQueryValue}, powers()},
                                         Mix{"Both", {kAll, kQueryValue}, powers()},
                                         Mix{"QueryAndValueMultiples", {kQueryValue}, multiples()},
                                         Mix{"BothMultiples", {kAll, kQueryValue}, multiples()}),
                         [](const auto& info) { return info.param.name; });

TEST(PageLayout, PartsDoNotOverlapAndBytesAreWhatIsAskedFor) {
    std::mt19937 random(3);
    for (int round = 0; round < 300; ++round) {
        std::vector<int64_t> sizes;
        for (size_t i = 0; i < 1 + random() % 20; ++i)
            sizes.push_back(64 * int64_t(random() % (round % 3 == 0 ? 4000 : 90)));
        const PageLayout layout(sizes, 65536);
        int64_t pieces = 0;
        std::vector<std::pair<int64_t, int64_t>> in_pages;
        for (size_t i = 0; i < sizes.size(); ++i) {
            const PageLayout::Part& part = layout.parts[i];
            EXPECT_EQ(part.offset % 64, 0);
            if (part.piece < 0) {
                in_pages.emplace_back(part.offset, part.offset + sizes[i]);
            } else {
                EXPECT_EQ(layout.request.pieces[size_t(part.piece)], round_up(sizes[i], 256));
                EXPECT_LE(sizes[i], 65536 / 2);
                ++pieces;
            }
        }
        std::sort(in_pages.begin(), in_pages.end());
        for (size_t i = 1; i < in_pages.size(); ++i) EXPECT_LE(in_pages[i - 1].second, in_pages[i].first);
        if (!in_pages.empty()) {
            EXPECT_LE(in_pages.back().second, layout.request.pages * 65536);
        }
        EXPECT_EQ(pieces, int64_t(layout.request.pieces.size()));
        EXPECT_EQ(layout.bytes,
                  layout.request.pages * 65536 +
                      std::accumulate(layout.request.pieces.begin(), layout.request.pieces.end(), int64_t(0)));
        const int64_t total = std::accumulate(sizes.begin(), sizes.end(), int64_t(0));
        EXPECT_GE(layout.bytes, total);
        EXPECT_LE(layout.bytes, total + 65536);
    }
}

}  // namespace
}  // namespace lk::test
