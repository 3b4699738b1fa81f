#include "platform/cuda_emulated/queue.h"

#include "platform/cuda_emulated/machine.h"

namespace lk::emulated {

bool WorkTask::step(Machine& machine, Context& context) {
    machine.run(*work_, context, queue_, true);
    return true;
}

bool WorkTask::uses_host_memory(const void* begin, size_t bytes) const {
    return work_->uses_host_memory(begin, bytes);
}

bool RecordTask::step(Machine&, Context&) {
    mark_->reached = true;
    return true;
}

bool WaitTask::step(Machine& machine, Context&) {
    machine.break_kernel_sequence();
    return true;
}

}  // namespace lk::emulated
