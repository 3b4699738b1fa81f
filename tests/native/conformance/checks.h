// The list of conformance checks. Each runs small kernels around one instruction of the arch layer and compares what
// they give with what the PTX ISA's formulas say, worked out on the host without any code of the emulated device.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "conformance/bench.h"

namespace lk::conformance {

struct Check {
    std::string name;
    int compute_capability;  // the least that has the instruction
    void (*run)(Bench&);

    friend std::ostream& operator<<(std::ostream& out, const Check& check) { return out << check.name; }
};

std::vector<Check> arithmetic_checks();
std::vector<Check> conversion_checks();
std::vector<Check> matrix_checks();
std::vector<Check> warp_checks();
std::vector<Check> barrier_checks();
std::vector<Check> async_copy_checks();
std::vector<Check> memory_checks();
std::vector<Check> grid_checks();
std::vector<Check> bulk_copy_checks();
std::vector<Check> tensor_copy_checks();
std::vector<Check> wgmma_checks();
std::vector<Check> mapped_memory_checks();

// All of them.
std::vector<Check> all_checks();

}  // namespace lk::conformance
