// What every emulated API function does around its own work: the lock, the current context, the thread's last error.
#pragma once

#include <new>

#include "platform/cuda_emulated/machine.h"

namespace lk::emulated {

// Remembers an error for cudaGetLastError.
cudaError_t returned(cudaError_t error);

// The calling thread's current context; NULL when there is none or it was destroyed.
Context* current_context(Machine& machine);

// Some calls must not be made while streams are captured. If this is such a time for the calling thread, the captures
// concerned are invalidated.
bool forbidden_by_capture(Machine& machine);

// A call that needs no context.
template <class Body>
cudaError_t api_call(Body body) {
    Machine& machine = Machine::instance();
    const std::lock_guard lock(machine.mutex);
    try {
        return returned(body(machine));
    } catch (const std::bad_alloc&) {
        return returned(cudaErrorMemoryAllocation);
    }
}

// A call in the current context. It is refused without one, and in one that is lost. An error that the call itself
// brings to light by waiting is returned by it, as CUDA does.
template <class Body>
cudaError_t context_call(Body body) {
    return api_call([&](Machine& machine) -> cudaError_t {
        if (const cudaError_t error = machine.availability(); error != cudaSuccess) return error;
        Context* const context = current_context(machine);
        if (context == nullptr) return cudaErrorDeviceUninitialized;
        if (context->error != cudaSuccess) return context->error;
        const cudaError_t error = body(machine, *context);
        return error == cudaSuccess ? context->error : error;
    });
}

// As context_call, for what a capture forbids.
template <class Body>
cudaError_t unsafe_call(Body body) {
    return context_call([&](Machine& machine, Context& context) -> cudaError_t {
        if (forbidden_by_capture(machine)) return cudaErrorStreamCaptureUnsupported;
        return body(machine, context);
    });
}

// The driver's functions do not touch the runtime's last error.
template <class Body>
CUresult driver_call(Body body) {
    Machine& machine = Machine::instance();
    const std::lock_guard lock(machine.mutex);
    if (machine.availability() != cudaSuccess) return CUDA_ERROR_NOT_INITIALIZED;
    return body(machine, Machine::thread().contexts);
}

inline bool is_device(const Machine& machine, int device) {
    return device >= 0 && device < machine.settings.devices;
}

}  // namespace lk::emulated
