#include "breaks/bugs.h"

namespace lk::breaks {

std::vector<Subject> all_subjects() {
    std::vector<Subject> subjects = pipelined_subjects();
    for (const auto& more : {tensor_pipeline_subjects(), bulk_ring_subjects()}) {
        subjects.insert(subjects.end(), more.begin(), more.end());
    }
    return subjects;
}

emulated::Options options_of(uint64_t seed) {
    emulated::Options options;
    options.seed = seed;
    options.preemption = static_cast<uint32_t>(seed % 4);
    options.rounding = seed % 2 == 0 ? emulated::Rounding::exact : emulated::Rounding::truncating;
    return options;
}

}  // namespace lk::breaks
