#include "device/harness.h"

namespace lk::emulated::testing {

Options seeded(uint64_t seed) {
    Options options;
    options.seed = seed;
    options.preemption = uint32_t(seed % 4);
    return options;
}

std::string text_of(const LaunchReport& report) {
    std::string text;
    for (const std::string& finding : report.findings) text.append(finding).append("\n");
    return text;
}

}  // namespace lk::emulated::testing
