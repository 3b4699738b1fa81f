// How the emulated device behaves.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lk::emulated {

enum class Rounding {
    exact,      // sums of products in double precision, rounded once
    truncating  // addends aligned to the largest exponent, what lies below dropped
};

struct Allocation;

// Sees every access to global memory, in the order in which the device makes them.
class AccessObserver {
  public:
    virtual ~AccessObserver() = default;
    virtual void see(const Allocation& allocation, size_t first_byte, uint32_t bytes) = 0;
};

struct Options {
    uint64_t seed = 1;        // of every order and moment that CUDA leaves open
    uint32_t preemption = 0;  // n: a warp gives way after 1 of n collectives; 0: only where it must wait
    Rounding rounding = Rounding::exact;
    bool checked = true;          // races, uninitialised reads and the like are looked for
    bool count_conflicts = true;  // bank conflicts of plain accesses too, in checked runs; takes as long as the checks
    AccessObserver* observer = nullptr;

    // What can be resident at once decides which blocks may wait for each other.
    uint32_t multiprocessors = 4;
    uint32_t threads_per_multiprocessor = 2048;
    uint32_t blocks_per_multiprocessor = 32;
    uint32_t shared_per_multiprocessor = 228 * 1024;
    uint32_t shared_per_block = 227 * 1024;
};

}  // namespace lk::emulated
