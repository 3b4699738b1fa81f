// Each planted bug is caught, and the kernels without a bug raise no alarm. `breaks_report` writes the whole table.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "breaks/bugs.h"

namespace lk::breaks {
namespace {

class Breaks : public testing::TestWithParam<Subject> {};

TEST_P(Breaks, AreCaughtAndNothingElse) {
    const Subject& subject = GetParam();
    constexpr uint64_t seeds = 4;
    for (uint64_t seed = 1; seed <= seeds; ++seed) {
        const Outcome outcome = subject.run(options_of(seed));
        if (subject.bug == Bug::none) {
            EXPECT_FALSE(outcome.wrong_values) << "seed " << seed;
            EXPECT_TRUE(outcome.findings.empty()) << "seed " << seed << ": " << outcome.findings.front();
        } else {
            EXPECT_TRUE(outcome.caught()) << subject.kernel << ", seed " << seed << ": " << subject.description;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(All, Breaks, testing::ValuesIn(all_subjects()), [](const auto& info) {
    std::string name = std::string(info.param.kernel) + "_" + info.param.description;
    for (char& c : name) {
        if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
    }
    return name;
});

TEST(BreakTable, HasEachBugOnce) {
    std::set<Bug> bugs;
    size_t planted = 0;
    for (const Subject& subject : all_subjects()) {
        if (subject.bug == Bug::none) continue;
        bugs.insert(subject.bug);
        ++planted;
    }
    EXPECT_EQ(bugs.size(), planted);
    EXPECT_GE(planted, 24u);
}

}  // namespace
}  // namespace lk::breaks
