// Fibers: one stack for each CUDA thread, switched by hand. About 3 ns a switch.
#pragma once

#include <cstddef>

namespace lk::emulated {

// Saves the callee-saved registers and the stack pointer of the running fiber and goes on with another.
extern "C" void lk_emulated_switch(void** save, void* to);

// A stack whose first switch enters `entry`, which never returns. `colour` moves its top, so that the stacks of
// neighbours do not share cache sets.
void* prepare_stack(char* stack, size_t bytes, size_t colour, void (*entry)());

// Stacks of equal size, each above a guard page, kept for the next launch.
class StackPool {
  public:
    static constexpr size_t stack_bytes = 64 * 1024;  // with the guard page

    StackPool() = default;
    StackPool(const StackPool&) = delete;
    StackPool& operator=(const StackPool&) = delete;
    ~StackPool();

    // The lowest address of `count` stacks that follow each other.
    char* get(size_t count);

  private:
    char* memory_ = nullptr;
    size_t count_ = 0;
};

}  // namespace lk::emulated
