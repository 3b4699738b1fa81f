#include "platform/cuda_emulated/machine.h"

#include <algorithm>
#include <atomic>

#include "core/error.h"
#include "platform/cuda_emulated/device_memory.h"

namespace lk::emulated {

uintptr_t next_handle() {
    static std::atomic<uintptr_t> next{0x1000};  // beyond CUDA's special handles
    return next.fetch_add(16);
}

bool holds_device_memory(const Context& context, const void* memory, size_t bytes) {
    const Allocation* const allocation = find_allocation(memory);
    if (allocation == nullptr) return false;
    const auto begin = size_t(static_cast<const char*>(memory) - allocation->data);
    if (begin + bytes > allocation->bytes) return false;
    return allocation->reserved ? allocation->is_accessible(begin, bytes, context.device)
                                : allocation->owner == context.id;
}

Machine::Machine() : settings(default_settings()), statistics{} {
    try {
        settings = settings_of_environment();
    } catch (const Error& error) {
        settings_error = error.what();
    }
    random_.seed(settings.seed);
}

// Never destroyed: objects with static lifetime may still free what they hold when the process ends.
Machine& Machine::instance() {
    static Machine& machine = *new Machine;
    return machine;
}

Thread& Machine::thread() {
    thread_local Thread state;
    return state;
}

cudaError_t Machine::availability() {
    if (!settings_error.empty()) return cudaErrorInitializationError;
    if (settings.driver_version / 1000 < CUDART_VERSION / 1000) return cudaErrorInsufficientDriver;
    return settings.devices == 0 ? cudaErrorNoDevice : cudaSuccess;
}

size_t Machine::choose(size_t count) {
    return count == 1 ? 0 : size_t(random_() % count);
}

CUcontext Machine::create_context(int device, bool primary) {
    auto context = std::make_unique<Context>();
    context->device = device;
    context->id = next_context_id_++;
    context->primary = primary;
    const CUcontext handle = contexts.add(std::move(context));
    contexts.find(handle)->handle = handle;
    return handle;
}

CUcontext Machine::primary_context(int device) {
    for (const auto& [handle, context] : contexts) {
        if (context->primary && context->device == device) return handle;
    }
    return create_context(device, true);
}

void Machine::destroy_context(CUcontext handle) {
    Context* const context = contexts.find(handle);
    lose(*context, {cudaErrorContextIsDestroyed, "the context is destroyed"});
    const auto is_of_context = [context](const auto& object) { return object.context == context; };
    for (const auto& [_, stream] : streams) {
        if (is_of_context(*stream) && stream->capture != nullptr) stream->capture->end();
    }
    streams.remove_if(is_of_context);
    events.remove_if(is_of_context);
    executables.remove_if(is_of_context);
    graphs.remove_if([&](const std::shared_ptr<Graph>& graph) { return is_of_context(*graph); });
    page_locked.release_all(*context);
    release_device_memory_of(context->id);
    contexts.remove(handle);
}

bool Machine::advance() {
    std::vector<std::pair<cudaStream_t, Stream*>> ready;
    for (const auto& [handle, stream] : streams) {
        if (!stream->tasks.empty() && stream->tasks.front()->ready()) ready.emplace_back(handle, stream.get());
    }
    if (ready.empty()) return false;
    const auto [handle, stream] = ready[choose(ready.size())];
    Context& context = *stream->context;
    try {
        if (take_failure(LK_EMULATED_LOST_DEVICE)) throw Finding{cudaErrorECCUncorrectable, "an injected failure"};
        if (stream->tasks.front()->step(*this, context)) stream->tasks.pop_front();
    } catch (const Finding& finding) {
        ++statistics.findings;
        lose(context, finding);
    }
    if (stream->destroyed && stream->tasks.empty()) streams.remove(handle);
    return true;
}

void Machine::run(const Work& work, Context& context, const void* queue, bool may_follow) {
    const bool follows_kernel = may_follow && last_kernel_of_ == queue;
    last_kernel_of_ = nullptr;
    work.run(*this, context, follows_kernel);
    if (work.is_kernel()) last_kernel_of_ = queue;
}

bool Machine::idle(const Context& context) const {
    return std::all_of(streams.begin(), streams.end(), [&](const auto& entry) {
        return entry.second->context != &context || entry.second->tasks.empty();
    });
}

size_t Machine::memory_bytes_of(int device) const {
    size_t sum = physical.bytes_of(device);
    for (const auto& [_, context] : contexts) sum += context->device == device ? context->memory_bytes : 0;
    return sum;
}

void Machine::lose(Context& context, const Finding& finding) {
    if (context.error == cudaSuccess) {
        context.error = finding.error;
        context.error_text = finding.text;
    }
    for (const auto& [_, stream] : streams) {
        if (stream->context != &context) continue;
        for (const auto& task : stream->tasks) task->abandon();
        stream->tasks.clear();
    }
    streams.remove_if([&](const Stream& stream) { return stream.context == &context && stream.destroyed; });
}

}  // namespace lk::emulated
