// What became of the planted bugs, as the tables that lie beside this file.
//
//   breaks_report outcomes [SEEDS]    each bug over 20 seeds, checked and unchecked: outcomes.md
//   breaks_report alarms [SEEDS]      the kernels without a bug over 1,000 seeds: alarms.md
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include "breaks/bugs.h"

namespace lk::breaks {
namespace {

struct Tally {
    uint64_t caught = 0, wrong_values = 0, found = 0;
    std::map<std::string, uint64_t> kinds;
};

// A finding's rule, without where it was broken.
std::string kind_of(const std::string& finding) {
    return finding.substr(0, finding.find(':'));
}

Tally tally(const Subject& subject, uint64_t seeds, bool checked) {
    Tally tally;
    for (uint64_t seed = 1; seed <= seeds; ++seed) {
        emulated::Options options = options_of(seed);
        options.checked = checked;
        const Outcome outcome = subject.run(options);
        tally.caught += outcome.caught();
        tally.wrong_values += outcome.wrong_values;
        tally.found += !outcome.findings.empty();
        if (!outcome.findings.empty()) ++tally.kinds[kind_of(outcome.findings.front())];
    }
    return tally;
}

std::string most_frequent(const Tally& tally) {
    std::string kind;
    uint64_t count = 0;
    for (const auto& [candidate, times] : tally.kinds) {
        if (times > count) kind = candidate;
        if (times > count) count = times;
    }
    return kind;
}

int write_outcomes(uint64_t seeds) {
    std::printf(
        "# Planted bugs and what caught them\n\nWritten by `breaks_report outcomes`: runs out of %llu, each "
        "with another seed.\n\n",
        static_cast<unsigned long long>(seeds));
    std::printf(
        "| kernel | bug | caught | by values | by a finding | the finding | caught unchecked |\n"
        "|---|---|---:|---:|---:|---|---:|\n");
    int bugs = 0, always = 0, missed = 0, alarms = 0;
    for (const Subject& subject : all_subjects()) {
        const Tally checked = tally(subject, seeds, true);
        const Tally unchecked = tally(subject, seeds, false);
        const auto number = [](uint64_t value) { return static_cast<unsigned long long>(value); };
        std::printf("| %s | %s | %llu | %llu | %llu | %s | %llu |\n", subject.kernel, subject.description,
                    number(checked.caught), number(checked.wrong_values), number(checked.found),
                    most_frequent(checked).c_str(), number(unchecked.caught));
        std::fflush(stdout);
        if (subject.bug == Bug::none) {
            alarms += checked.caught + unchecked.caught != 0;
            continue;
        }
        ++bugs;
        always += checked.caught == seeds;
        missed += checked.caught == 0;
    }
    std::printf(
        "\n%d bugs: %d caught in every run, %d in some, %d never. Kernels without a bug that raised an alarm: "
        "%d.\n",
        bugs, always, bugs - always - missed, missed, alarms);
    return missed == 0 && alarms == 0 ? 0 : 1;
}

int write_alarms(uint64_t seeds) {
    std::printf(
        "# False alarms\n\nWritten by `breaks_report alarms`: the kernels without a bug, checked.\n\n"
        "| kernel | seeds | alarms | seconds |\n|---|---:|---:|---:|\n");
    uint64_t alarms = 0;
    for (const Subject& subject : all_subjects()) {
        if (subject.bug != Bug::none) continue;
        const auto start = std::chrono::steady_clock::now();
        const Tally result = tally(subject, seeds, true);
        const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
        std::printf("| %s | %llu | %llu | %.0f |\n", subject.kernel, static_cast<unsigned long long>(seeds),
                    static_cast<unsigned long long>(result.caught), seconds.count());
        for (const auto& [kind, times] : result.kinds) {
            std::printf("\n%s: %llu\n", kind.c_str(), static_cast<unsigned long long>(times));
        }
        std::fflush(stdout);
        alarms += result.caught;
    }
    return alarms == 0 ? 0 : 1;
}

}  // namespace
}  // namespace lk::breaks

int main(int count, char** arguments) {
    const std::string_view command = count > 1 ? arguments[1] : "";
    const uint64_t given = count > 2 ? std::strtoull(arguments[2], nullptr, 10) : 0;
    if (command == "outcomes") return lk::breaks::write_outcomes(given != 0 ? given : 20);
    if (command == "alarms") return lk::breaks::write_alarms(given != 0 ? given : 1000);
    std::fprintf(stderr, "usage: breaks_report outcomes|alarms [SEEDS]\n");
    return 2;
}
