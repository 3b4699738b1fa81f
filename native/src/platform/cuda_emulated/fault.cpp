#include "platform/cuda_emulated/fault.h"

#include <signal.h>
#include <ucontext.h>

#include <cstdint>
#include <memory>

#include "platform/cuda_emulated/device_memory.h"
#include "platform/cuda_emulated/findings.h"

namespace lk::emulated {
namespace {

struct sigaction previous_segv;
struct sigaction previous_bus;
thread_local const char* fault_address = nullptr;

// Runs on the fiber that faulted, its stack emptied.
void report_fault() {
    const Lane& lane = *current_lane;
    const char* const address = fault_address;
    if (size_t(address - lane.stack) < StackPool::stack_bytes) stop("stack overflow", "needs more than its stack");
    if (address == lane.block->shared + shared_window_bytes) stop("out of bounds", "runs over all of shared memory");
    const Allocation* const near = find_mapping(address);
    if (near == nullptr) {
        stop("out of bounds", "touches %p, which is neither shared nor global memory",
             static_cast<const void*>(address));
    }
    if (near->reserved && near->holds(address)) {
        stop("unmapped", "touches byte %td of addresses %llu, where nothing is mapped and enabled",
             address - near->data, static_cast<unsigned long long>(near->id));
    }
    stop("out of bounds", "touches byte %td of allocation %llu, which has %zu bytes", address - near->data,
         static_cast<unsigned long long>(near->id), near->bytes);
}

void pass_on(const struct sigaction& previous, int signal, siginfo_t* info, void* context) {
    if ((previous.sa_flags & SA_SIGINFO) != 0) {
        previous.sa_sigaction(signal, info, context);
    } else if (previous.sa_handler == SIG_DFL) {
        // The instruction is tried again, and faults for good.
        sigaction(signal, &previous, nullptr);
    } else if (previous.sa_handler != SIG_IGN) {
        previous.sa_handler(signal);
    }
}

void handle(int signal, siginfo_t* info, void* context) {
    const Lane* const lane = current_lane;
    if (lane == nullptr) return pass_on(signal == SIGSEGV ? previous_segv : previous_bus, signal, info, context);
    fault_address = static_cast<const char*>(info->si_addr);
    // Goes on in report_fault, at the top of the fiber's stack: what it had been doing is over.
    auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    const auto top = reinterpret_cast<uintptr_t>(lane->stack + StackPool::stack_bytes);
    registers[REG_RIP] = reinterpret_cast<greg_t>(&report_fault);
    registers[REG_RSP] = greg_t((top & ~uintptr_t(15)) - 8);
}

constexpr size_t signal_stack_bytes = 64 * 1024;

// Fibers' stacks may be full when the signal comes.
void need_signal_stack() {
    static thread_local std::unique_ptr<char[]> memory;
    stack_t current{};
    if (sigaltstack(nullptr, &current) == 0 && (current.ss_flags & SS_DISABLE) == 0) return;
    memory = std::make_unique<char[]>(signal_stack_bytes);
    stack_t stack{};
    stack.ss_sp = memory.get();
    stack.ss_size = signal_stack_bytes;
    sigaltstack(&stack, nullptr);
}

}  // namespace

FaultHandler::FaultHandler() {
    need_signal_stack();
    struct sigaction action {};
    action.sa_sigaction = handle;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    sigaction(SIGSEGV, &action, &previous_segv);
    sigaction(SIGBUS, &action, &previous_bus);
}

FaultHandler::~FaultHandler() {
    sigaction(SIGSEGV, &previous_segv, nullptr);
    sigaction(SIGBUS, &previous_bus, nullptr);
}

}  // namespace lk::emulated
