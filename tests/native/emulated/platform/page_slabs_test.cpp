// Pieces of pages: they never overlap, and what is free is found again.
#include "platform/cuda/page_slabs.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace lk::test {
namespace {

using cuda::PageSlabs;

constexpr int64_t kPage = 4096;

TEST(PageSlabs, PiecesOfAPageLieSideBySideUntilItIsFull) {
    PageSlabs slabs(kPage);
    const auto a = slabs.place(1024), b = slabs.place(2048), c = slabs.place(1024), d = slabs.place(256);
    EXPECT_EQ(a.page, b.page);
    EXPECT_EQ(a.page, c.page);
    EXPECT_NE(a.page, d.page);
    EXPECT_EQ(slabs.pages(), 2);
    EXPECT_EQ(slabs.place(kPage).offset, 0);
    EXPECT_EQ(slabs.pages(), 3);
}

TEST(PageSlabs, TheSmallestGapIsTaken) {
    PageSlabs slabs(kPage);
    const auto a = slabs.place(1024);
    slabs.place(256);
    const auto b = slabs.place(512);
    slabs.place(256);
    EXPECT_FALSE(slabs.release(a));
    EXPECT_FALSE(slabs.release(b));
    EXPECT_EQ(slabs.place(512).offset, b.offset);
    EXPECT_EQ(slabs.place(768).offset, a.offset);
}

// Against a list of what is taken.
TEST(PageSlabs, HoldsAnyHistory) {
    PageSlabs slabs(kPage);
    std::vector<PageSlabs::Piece> live;
    std::mt19937 random(1);
    for (int step = 0; step < 5000; ++step) {
        if (live.size() < 60 && random() % 5 < 3) {
            const auto piece = slabs.place(256 * int64_t(1 + random() % (random() % 4 == 0 ? 16 : 4)));
            EXPECT_GE(piece.offset, 0);
            EXPECT_LE(piece.offset + piece.bytes, kPage);
            for (const auto& other : live) {
                const bool apart = other.page != piece.page || other.offset + other.bytes <= piece.offset ||
                                   piece.offset + piece.bytes <= other.offset;
                ASSERT_TRUE(apart) << step;
            }
            live.push_back(piece);
        } else if (!live.empty()) {
            const size_t which = random() % live.size();
            const auto piece = live[which];
            live.erase(live.begin() + ptrdiff_t(which));
            bool last = true;
            for (const auto& other : live) last = last && other.page != piece.page;
            EXPECT_EQ(slabs.release(piece), last);
        }
        std::set<int64_t> pages;
        for (const auto& piece : live) pages.insert(piece.page);
        ASSERT_EQ(slabs.pages(), int64_t(pages.size()));
    }
}

}  // namespace
}  // namespace lk::test
