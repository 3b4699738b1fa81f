#include "core/matrix.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace lk {
namespace {

std::vector<float> buffer(1000);

lk_matrix view(int64_t offset, int64_t rows, int64_t columns, int64_t stride) {
    return {buffer.data() + offset, rows, columns, stride, LK_DTYPE_F32, 0};
}

std::set<int64_t> elements(const lk_matrix& m) {
    std::set<int64_t> result;
    for (int64_t r = 0; r < m.rows; ++r) {
        for (int64_t c = 0; c < m.columns; ++c) {
            result.insert(static_cast<float*>(m.data) - buffer.data() + r * m.row_stride + c);
        }
    }
    return result;
}

TEST(Overlap, IsExactForEqualPitchAndSingleRows) {
    for (int64_t stride : {4, 7}) {
        for (int64_t rows_a : {1, 2, 3}) {
            for (int64_t rows_b : {1, 2, 3}) {
                for (int64_t columns_a = 1; columns_a <= 4; ++columns_a) {
                    for (int64_t columns_b = 1; columns_b <= 4; ++columns_b) {
                        for (int64_t offset = 0; offset < 40; ++offset) {
                            const lk_matrix a = view(20, rows_a, columns_a, stride);
                            const lk_matrix b = view(offset, rows_b, columns_b, stride);
                            bool expected = false;
                            for (const int64_t e : elements(a)) expected |= elements(b).count(e) != 0;
                            ASSERT_EQ(overlaps(a, b), expected) << stride << " " << rows_a << "x" << columns_a << " "
                                                                << rows_b << "x" << columns_b << " at " << offset;
                        }
                    }
                }
            }
        }
    }
}

TEST(Overlap, IsNeverMissedForOtherPitches) {
    for (int64_t offset = 0; offset < 60; ++offset) {
        const lk_matrix a = view(20, 3, 2, 5);
        const lk_matrix b = view(offset, 4, 2, 7);
        bool shared = false;
        for (const int64_t e : elements(a)) shared |= elements(b).count(e) != 0;
        if (shared) {
            EXPECT_TRUE(overlaps(a, b)) << offset;
        }
    }
    EXPECT_FALSE(overlaps(view(0, 2, 3, 10), view(13, 5, 5, 5)));
}

TEST(Overlap, EmptyViewsShareNothing) {
    EXPECT_FALSE(overlaps(view(0, 0, 4, 4), view(0, 4, 4, 4)));
    EXPECT_FALSE(overlaps(view(0, 4, 4, 4), {nullptr, 3, 0, 0, LK_DTYPE_F32, 0}));
}

}  // namespace
}  // namespace lk
