#include "conformance/checks.h"

namespace lk::conformance {

std::vector<Check> all_checks() {
    std::vector<Check> checks;
    for (const auto& family :
         {arithmetic_checks, conversion_checks, matrix_checks, warp_checks, barrier_checks, async_copy_checks,
          memory_checks, grid_checks, bulk_copy_checks, tensor_copy_checks, wgmma_checks, mapped_memory_checks}) {
        for (Check& check : family()) checks.push_back(std::move(check));
    }
    return checks;
}

}  // namespace lk::conformance
