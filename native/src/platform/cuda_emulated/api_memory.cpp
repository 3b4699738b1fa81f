// Allocation, copies and fills.
#include <algorithm>

#include "platform/cuda_emulated/call.h"
#include "platform/cuda_emulated/device_memory.h"
#include "platform/cuda_emulated/enqueue.h"

using namespace lk::emulated;

namespace {

// Where memory lies, if all of it may be used in this context.
bool find_place(Machine& machine, const Context& context, const void* memory, size_t bytes, Place& place) {
    if (machine.page_locked.holds(memory, bytes)) {
        place = Place::page_locked;
        return true;
    }
    if (find_mapping(memory) != nullptr) {
        place = Place::device;
        return holds_device_memory(context, memory, bytes);
    }
    place = Place::pageable;
    return !machine.page_locked.touches(memory, bytes);
}

bool kind_fits(cudaMemcpyKind kind, Place from, Place to) {
    const bool from_device = from == Place::device;
    const bool to_device = to == Place::device;
    switch (kind) {
        case cudaMemcpyHostToDevice:
            return !from_device && to_device;
        case cudaMemcpyDeviceToHost:
            return from_device && !to_device;
        case cudaMemcpyDeviceToDevice:
            return from_device && to_device;
        case cudaMemcpyDefault:
            return from_device || to_device;
        case cudaMemcpyHostToHost:
            return false;
    }
    return false;
}

// What a page-locked destination holds is not defined before the copy has run: so that reading it early is noticed,
// it is spoilt, unless work that is enqueued already uses it.
void spoil_destination(Machine& machine, const CopyEnd& destination, size_t width, size_t height) {
    const size_t bytes = destination.span(width, height);
    for (const auto& [_, stream] : machine.streams) {
        for (const auto& task : stream->tasks) {
            if (task->uses_host_memory(destination.data, bytes)) return;
        }
    }
    for (size_t row = 0; row < height; ++row) poison(destination.data + row * destination.pitch, width);
}

cudaError_t copy(Machine& machine, Context& context, CopyEnd destination, CopyEnd source, size_t width, size_t height,
                 cudaMemcpyKind kind, cudaStream_t handle) {
    Stream* const stream = usable_stream(machine, context, handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    if (width == 0 || height == 0) return cudaSuccess;
    if (height > 1 && (destination.pitch < width || source.pitch < width)) return cudaErrorInvalidValue;
    if (!find_place(machine, context, destination.data, destination.span(width, height), destination.place) ||
        !find_place(machine, context, source.data, source.span(width, height), source.place) ||
        !kind_fits(kind, source.place, destination.place)) {
        return cudaErrorInvalidValue;
    }
    const bool pageable = source.place == Place::pageable || destination.place == Place::pageable;
    if (stream->capture != nullptr && pageable) {
        stream->capture->invalidated = true;
        return cudaErrorStreamCaptureUnsupported;
    }
    if (stream->capture == nullptr && destination.place == Place::page_locked) {
        spoil_destination(machine, destination, width, height);
    }
    const cudaError_t error = enqueue(*stream, std::make_shared<CopyWork>(destination, source, width, height));
    if (error != cudaSuccess) return error;
    // CUDA returns from such a copy when it is complete.
    if (destination.place == Place::pageable) machine.advance_until([&] { return stream->tasks.empty(); });
    return context.error;
}

}  // namespace

cudaError_t cudaMalloc(void** memory, size_t bytes) {
    return unsafe_call([&](Machine& machine, Context& context) -> cudaError_t {
        *memory = nullptr;
        if (bytes == 0) return cudaSuccess;
        if (machine.take_failure(LK_EMULATED_OUT_OF_MEMORY)) return cudaErrorMemoryAllocation;
        const auto capacity = size_t(machine.settings.memory_bytes);
        const size_t used = machine.memory_bytes_of(context.device);
        if (bytes > capacity - std::min(used, capacity)) return cudaErrorMemoryAllocation;
        *memory = allocate_device_memory(bytes, context.id);
        if (*memory == nullptr) return cudaErrorMemoryAllocation;
        context.memory_bytes += bytes;
        ++machine.statistics.allocations;
        return cudaSuccess;
    });
}

// Waits for everything that the context has enqueued.
cudaError_t cudaFree(void* memory) {
    return unsafe_call([&](Machine& machine, Context& context) -> cudaError_t {
        if (memory == nullptr) return cudaSuccess;
        const Allocation* const allocation = find_allocation(memory);
        if (allocation == nullptr || allocation->data != memory || allocation->owner != context.id) {
            return cudaErrorInvalidValue;
        }
        machine.advance_until([&] { return machine.idle(context); });
        if (context.error != cudaSuccess) return context.error;
        context.memory_bytes -= allocation->bytes;
        release_device_memory(memory);
        return cudaSuccess;
    });
}

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
    return context_call([&](Machine& machine, Context& context) -> cudaError_t {
        *total = size_t(machine.settings.memory_bytes);
        *free = *total - std::min(*total, machine.memory_bytes_of(context.device));
        return cudaSuccess;
    });
}

cudaError_t cudaMallocHost(void** memory, size_t bytes) {
    return unsafe_call([&](Machine& machine, Context& context) -> cudaError_t {
        *memory = nullptr;
        if (bytes == 0) return cudaSuccess;
        if (machine.take_failure(LK_EMULATED_OUT_OF_MEMORY)) return cudaErrorMemoryAllocation;
        *memory = machine.page_locked.allocate(bytes, context);
        if (*memory == nullptr) return cudaErrorMemoryAllocation;
        ++machine.statistics.allocations;
        return cudaSuccess;
    });
}

cudaError_t cudaFreeHost(void* memory) {
    return unsafe_call([&](Machine& machine, Context& context) -> cudaError_t {
        if (memory == nullptr) return cudaSuccess;
        const size_t bytes = machine.page_locked.bytes_at(memory);
        if (bytes == 0) return cudaErrorInvalidValue;
        for (const auto& [_, stream] : machine.streams) {
            for (const auto& task : stream->tasks) {
                if (!task->uses_host_memory(memory, bytes)) continue;
                machine.lose(context, {cudaErrorLaunchFailure,
                                       "page-locked memory is freed while a copy that uses it is enqueued"});
                return context.error;
            }
        }
        machine.page_locked.release(memory);
        return cudaSuccess;
    });
}

cudaError_t cudaMemcpyAsync(void* destination, const void* source, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
    return cudaMemcpy2DAsync(destination, bytes, source, bytes, bytes, 1, kind, stream);
}

cudaError_t cudaMemcpy2DAsync(void* destination, size_t destination_pitch, const void* source, size_t source_pitch,
                              size_t width, size_t height, cudaMemcpyKind kind, cudaStream_t stream) {
    return context_call([&](Machine& machine, Context& context) {
        const CopyEnd to{static_cast<char*>(destination), destination_pitch, Place::pageable};
        const CopyEnd from{static_cast<char*>(const_cast<void*>(source)), source_pitch, Place::pageable};
        return copy(machine, context, to, from, width, height, kind, stream);
    });
}

cudaError_t cudaMemsetAsync(void* memory, int value, size_t bytes, cudaStream_t handle) {
    return context_call([&](Machine& machine, Context& context) -> cudaError_t {
        Stream* const stream = usable_stream(machine, context, handle);
        if (stream == nullptr) return cudaErrorInvalidResourceHandle;
        if (bytes == 0) return cudaSuccess;
        if (!holds_device_memory(context, memory, bytes)) return cudaErrorInvalidValue;
        return enqueue(*stream, std::make_shared<FillWork>(memory, value, bytes));
    });
}
