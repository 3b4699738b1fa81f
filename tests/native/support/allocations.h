// How often the calling thread allocates with operator new.
#pragma once

#include <cstdint>

namespace lk::test {

class CountAllocations {
  public:
    CountAllocations();
    ~CountAllocations();
    CountAllocations(const CountAllocations&) = delete;
    CountAllocations& operator=(const CountAllocations&) = delete;

    // Since this was made.
    int64_t count() const;
};

}  // namespace lk::test
