// Runs a kernel launch on the emulated device, to its end, on the calling thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "platform/cuda_emulated/kernel_call.h"
#include "platform/cuda_emulated/options.h"
#include "platform/cuda_emulated/vector_types.h"

namespace lk::emulated {

struct Launch {
    dim3 grid;
    dim3 block;
    uint32_t dynamic_shared = 0;
    std::shared_ptr<const KernelCall> call;
    bool programmatic = false;  // touches nothing of the launch before it until grid_dependency_wait
    uint64_t owner = 0;         // the context: global memory of another one must not be touched
    int device = 0;             // whose access to mapped memory counts
};

// What one launch did. Plain loads and stores are seen in checked runs only; copies, hinted loads and atomics always.
struct Counters {
    uint64_t global_bytes_read = 0;
    uint64_t global_bytes_written = 0;
    uint64_t bank_conflicts = 0;  // extra shared-memory cycles of ldmatrix, and of plain accesses in checked runs
    uint64_t mma = 0;             // m16n8k16 products; one wgmma of N columns counts as N / 2 of them
    uint64_t wgmma = 0;
    uint64_t ldmatrix = 0;
    uint64_t copies = 0;  // cp.async, bulk and tensor copies
    uint64_t copy_bytes = 0;
    uint64_t collectives = 0;
    uint64_t barriers = 0;
    uint64_t switches = 0;
    uint64_t accesses = 0;         // plain loads and stores seen
    uint32_t resident_blocks = 0;  // the most at one time
};

struct LaunchReport {
    std::vector<std::string> findings;  // at most 20, one for each kind and place; empty: no rule was broken
    Counters counters;

    bool ok() const { return findings.empty(); }
};

// One launch at a time in a process; a second caller waits.
LaunchReport execute(const Launch& launch, const Options& options);

}  // namespace lk::emulated
