#include "platform/cuda_emulated/call.h"

namespace lk::emulated {

cudaError_t returned(cudaError_t error) {
    if (error != cudaSuccess) Machine::thread().last_error = error;
    return error;
}

Context* current_context(Machine& machine) {
    const std::vector<CUcontext>& stack = Machine::thread().contexts;
    return stack.empty() ? nullptr : machine.contexts.find(stack.back());
}

bool forbidden_by_capture(Machine& machine) {
    const cudaStreamCaptureMode mine = Machine::thread().capture_mode;
    if (mine == cudaStreamCaptureModeRelaxed) return false;
    bool forbidden = false;
    for (const auto& [_, stream] : machine.streams) {
        const Capture* const capture = stream->capture.get();
        if (capture == nullptr || capture->mode == cudaStreamCaptureModeRelaxed) continue;
        const bool by_this_thread = capture->thread == std::this_thread::get_id();
        const bool concerns_all = mine == cudaStreamCaptureModeGlobal && capture->mode == cudaStreamCaptureModeGlobal;
        if (!by_this_thread && !concerns_all) continue;
        stream->capture->invalidated = true;
        forbidden = true;
    }
    return forbidden;
}

}  // namespace lk::emulated
