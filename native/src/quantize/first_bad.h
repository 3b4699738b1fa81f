// The first of the things that several threads find wrong.
#pragma once

#include <atomic>
#include <cstdint>

namespace lk::cpu {

class FirstBad {
  public:
    void note(int64_t index) {
        int64_t known = first_.load();
        while (index < known && !first_.compare_exchange_weak(known, index)) {
        }
    }
    bool any() const { return first_ != INT64_MAX; }
    int64_t index() const { return first_; }

  private:
    std::atomic<int64_t> first_{INT64_MAX};
};

}  // namespace lk::cpu
