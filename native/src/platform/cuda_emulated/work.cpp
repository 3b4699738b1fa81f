#include "platform/cuda_emulated/work.h"

#include <cstring>

#include "platform/cuda_emulated/device_memory.h"
#include "platform/cuda_emulated/machine.h"

namespace lk::emulated {
namespace {

std::string hex(const void* address) {
    char text[32];
    std::snprintf(text, sizeof text, "%p", address);
    return text;
}

// Memory may have been freed since the work was enqueued or recorded.
void require_device_memory(const Context& context, const void* memory, size_t bytes, const char* what) {
    if (holds_device_memory(context, memory, bytes)) return;
    throw Finding{cudaErrorLaunchFailure, std::string(what) + " uses " + std::to_string(bytes) +
                                              " bytes of device memory at " + hex(memory) +
                                              " that are not allocated in its context any more"};
}

void require_place(Machine& machine, const Context& context, const CopyEnd& end, size_t bytes) {
    if (end.place == Place::device) require_device_memory(context, end.data, bytes, "a copy");
    if (end.place == Place::page_locked && !machine.page_locked.holds(end.data, bytes)) {
        throw Finding{cudaErrorLaunchFailure, "a copy uses page-locked memory at " + hex(end.data) + " that was freed"};
    }
}

}  // namespace

bool Work::uses_host_memory(const void*, size_t) const {
    return false;
}

CopyWork::CopyWork(const CopyEnd& destination, const CopyEnd& source, size_t width, size_t height)
    : destination_(destination), source_(source), width_(width), height_(height) {
    if (source_.place != Place::pageable) return;
    taken_.resize(width * height);
    for (size_t row = 0; row < height; ++row) {
        std::memcpy(taken_.data() + row * width, source_.data + row * source_.pitch, width);
    }
    source_.data = taken_.data();
    source_.pitch = width;
}

void CopyWork::run(Machine& machine, Context& context, bool) const {
    require_place(machine, context, destination_, destination_.span(width_, height_));
    require_place(machine, context, source_, source_.span(width_, height_));
    ++machine.statistics.copies;
    for (size_t row = 0; row < height_; ++row) {
        char* const to = destination_.data + row * destination_.pitch;
        const char* const from = source_.data + row * source_.pitch;
        std::memmove(to, from, width_);
        if (destination_.place != Place::device) continue;
        if (source_.place == Place::device) {
            note_copied(to, from, width_);
        } else {
            note_written(to, width_);
        }
    }
}

bool CopyWork::uses_host_memory(const void* begin, size_t bytes) const {
    const auto overlaps = [&](const CopyEnd& end) {
        return end.place == Place::page_locked && end.data < static_cast<const char*>(begin) + bytes &&
               static_cast<const char*>(begin) < end.data + end.span(width_, height_);
    };
    return overlaps(destination_) || overlaps(source_);
}

void FillWork::run(Machine& machine, Context& context, bool) const {
    require_device_memory(context, memory_, bytes_, "a memory fill");
    ++machine.statistics.copies;
    std::memset(memory_, value_, bytes_);
    note_written(memory_, bytes_);
}

}  // namespace lk::emulated
