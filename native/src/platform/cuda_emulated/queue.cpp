#include "platform/cuda_emulated/queue.h"

namespace lk::emulated {

bool WorkTask::step(Machine& machine, Context& context) {
    work_->run(machine, context);
    return true;
}

bool WorkTask::uses_host_memory(const void* begin, size_t bytes) const {
    return work_->uses_host_memory(begin, bytes);
}

bool RecordTask::step(Machine&, Context&) {
    mark_->reached = true;
    return true;
}

}  // namespace lk::emulated
