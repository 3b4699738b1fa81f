// Runs the conformance checks on device 0 and says what they prove. Exit status 1 if one fails.
#include <cstdio>
#include <exception>

#include "conformance/checks.h"
#include "core/error.h"

namespace lk::conformance {
namespace {

int run() {
    Bench bench;
    std::printf("%s (sm_%d): this shows that the hardware does what the formulas say.\n", bench.device_name().c_str(),
                bench.compute_capability());
    int passed = 0, failed = 0, skipped = 0;
    for (const Check& check : all_checks()) {
        if (check.compute_capability > bench.compute_capability()) {
            std::printf("skipped  %s: needs sm_%d\n", check.name.c_str(), check.compute_capability);
            ++skipped;
            continue;
        }
        try {
            check.run(bench);
            std::printf("ok       %s\n", check.name.c_str());
            ++passed;
        } catch (const std::exception& error) {
            std::printf("FAILED   %s: %s\n", check.name.c_str(), error.what());
            ++failed;
        }
        std::fflush(stdout);
    }
    std::printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
    return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace lk::conformance

int main() {
    try {
        return lk::conformance::run();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "conformance: %s\n", error.what());
        return 1;
    }
}
