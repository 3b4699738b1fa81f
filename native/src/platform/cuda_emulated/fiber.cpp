#include "platform/cuda_emulated/fiber.h"

#include <sys/mman.h>

#include "core/error.h"

// The last jump goes through a register: a `ret` would be mispredicted, for its call was on another stack.
asm(R"(
.text
.globl lk_emulated_switch
.hidden lk_emulated_switch
.type lk_emulated_switch,@function
lk_emulated_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    popq %rcx
    jmpq *%rcx
.size lk_emulated_switch, .-lk_emulated_switch
)");

namespace lk::emulated {
namespace {

constexpr size_t page_bytes = 4096;

}  // namespace

void* prepare_stack(char* stack, size_t bytes, size_t colour, void (*entry)()) {
    auto** top = reinterpret_cast<void**>(stack + bytes - colour);
    *--top = nullptr;  // no return address: entry's frame is the outermost, aligned as after a call
    *--top = reinterpret_cast<void*>(entry);
    for (int saved_register = 0; saved_register < 6; ++saved_register) *--top = nullptr;
    return top;
}

StackPool::~StackPool() {
    if (memory_ != nullptr) munmap(memory_, count_ * stack_bytes);
}

char* StackPool::get(size_t count) {
    if (count <= count_) return memory_;
    if (memory_ != nullptr) munmap(memory_, count_ * stack_bytes);
    count_ = 0;
    void* const memory =
        mmap(nullptr, count * stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    memory_ = memory == MAP_FAILED ? nullptr : static_cast<char*>(memory);
    if (memory_ == nullptr) fail(LK_OUT_OF_MEMORY, "no address space for the stacks of %zu emulated threads", count);
    for (size_t i = 0; i < count; ++i) mprotect(memory_ + i * stack_bytes, page_bytes, PROT_NONE);
    count_ = count;
    return memory_;
}

}  // namespace lk::emulated
