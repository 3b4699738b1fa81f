// Faults of kernels: guard pages turn accesses outside of memory and stack overflows into findings.
#pragma once

namespace lk::emulated {

// While it lives, SIGSEGV and SIGBUS on this thread's fibers end the launch with a finding. Faults elsewhere go to the
// handler that was there before.
class FaultHandler {
  public:
    FaultHandler();
    ~FaultHandler();
    FaultHandler(const FaultHandler&) = delete;
    FaultHandler& operator=(const FaultHandler&) = delete;
};

}  // namespace lk::emulated
