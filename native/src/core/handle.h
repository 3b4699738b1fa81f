// Base of everything that the ABI hands out: counts what is alive, for leak tests.
#pragma once

#include <atomic>
#include <cstdint>

namespace lk {

class Handle {
  public:
    Handle() { live_.fetch_add(1, std::memory_order_relaxed); }
    ~Handle() { live_.fetch_sub(1, std::memory_order_relaxed); }
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;

    static int64_t live() { return live_.load(std::memory_order_relaxed); }

  private:
    static inline std::atomic<int64_t> live_{0};
};

}  // namespace lk
