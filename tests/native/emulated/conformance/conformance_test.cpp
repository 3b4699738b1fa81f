// The checks of tests/native/conformance on the emulated device. They show that the emulated instructions do what the
// formulas say; that hardware does is for the `conformance` program to show, on a GPU.
#include <gtest/gtest.h>

#include <cctype>
#include <cstdio>
#include <set>

#include "conformance/checks.h"
#include "platform/cuda_emulated/lorakernels_emulated.h"

namespace lk::conformance {
namespace {

class Conformance : public testing::TestWithParam<Check> {
  protected:
    static void SetUpTestSuite() {
        std::puts(
            "On the emulated device: this shows that its instructions agree with the formulas, not that hardware "
            "does.");
    }

    ~Conformance() override {
        lk_emulated_reset();
        lk_emulated_configure_text("seed=1,rounding=exact,preemption=0");
    }
};

TEST_P(Conformance, MatchesTheFormulas) {
    for (const char* options : {"seed=1,rounding=exact,preemption=0", "seed=2,rounding=truncate,preemption=1",
                                "seed=3,rounding=truncate,preemption=3"}) {
        ASSERT_EQ(lk_emulated_configure_text(options), LK_OK);
        try {
            Bench bench;
            GetParam().run(bench);
        } catch (const std::exception& error) {
            FAIL() << options << ": " << error.what();
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Emulated, Conformance, testing::ValuesIn(all_checks()), [](const auto& info) {
    std::string name = info.param.name;
    for (char& c : name) {
        if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
    }
    return name;
});

TEST(ConformanceList, NamesEachCheckOnce) {
    std::set<std::string> names;
    for (const Check& check : all_checks()) EXPECT_TRUE(names.insert(check.name).second) << check.name;
}

}  // namespace
}  // namespace lk::conformance
