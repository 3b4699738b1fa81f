#include <gtest/gtest.h>

#include "lorakernels.h"

extern "C" uint32_t header_abi_version_in_c(void);

TEST(Header, IsPlainCAndMatchesTheLibrary) {
    EXPECT_EQ(lk_abi_version(), header_abi_version_in_c());
}
