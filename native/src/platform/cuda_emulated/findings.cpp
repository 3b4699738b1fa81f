#include "platform/cuda_emulated/findings.h"

#include <dlfcn.h>

#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace lk::emulated {
namespace {

constexpr size_t most_findings = 20;

const char* file_name(const char* path) {
    const char* const slash = std::strrchr(path, '/');
    return slash == nullptr ? path : slash + 1;
}

std::string format_text(const char* format, va_list arguments) {
    char text[512];
    std::vsnprintf(text, sizeof text, format, arguments);
    return text;
}

void add(const Lane& lane, const char* kind, const void* pc, const std::string& detail) {
    auto& findings = lane.block->run->report->findings;
    if (findings.size() >= most_findings) return;
    const std::string place = place_of(lane, pc);
    const std::string head = std::string(kind) + ":";
    const std::string tail = ", at " + place;
    for (const std::string& finding : findings) {
        if (finding.starts_with(head) && finding.ends_with(tail)) return;
    }
    findings.push_back(head + " " + name_of(lane) + " " + detail + tail);
}

}  // namespace

std::string name_of(const Block& block) {
    char text[64];
    std::snprintf(text, sizeof text, "block (%u,%u,%u)", block.index.x, block.index.y, block.index.z);
    return text;
}

std::string name_of(const Lane& lane) {
    char text[64];
    std::snprintf(text, sizeof text, " thread %u (warp %u lane %u)", unsigned(lane.index), lane.warp->number,
                  unsigned(lane.number));
    return name_of(*lane.block) + text;
}

std::string text_of(Site site) {
    return std::string(file_name(site.file_name())) + ":" + std::to_string(site.line());
}

std::string place_of(const Lane& lane, const void* pc) {
    std::string text;
    if (pc != nullptr) {
        Dl_info module;
        char address[64];
        if (dladdr(pc, &module) != 0 && module.dli_fname != nullptr) {
            const auto offset = size_t(static_cast<const char*>(pc) - static_cast<const char*>(module.dli_fbase));
            std::snprintf(address, sizeof address, "+0x%zx", offset);
            text = file_name(module.dli_fname) + std::string(address);
        } else {
            std::snprintf(address, sizeof address, "%p", pc);
            text = address;
        }
        text.insert(0, "a load or store (").append(")");
        if (lane.doing == nullptr) return text + " before any primitive";
        text += " after ";
    }
    if (lane.doing == nullptr) return text + "the kernel's start";
    return text + lane.doing + " " + text_of(lane.site) + " in " + lane.site.function_name();
}

void note(const Lane& lane, const char* kind, const void* pc, const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    add(lane, kind, pc, format_text(format, arguments));
    va_end(arguments);
}

void note_text(Run& run, std::string text) {
    if (run.report->findings.size() < most_findings) run.report->findings.push_back(std::move(text));
}

void stop(const char* kind, const char* format, ...) {
    Lane& lane = *current_lane;
    {
        va_list arguments;
        va_start(arguments, format);
        add(lane, kind, nullptr, format_text(format, arguments));
        va_end(arguments);
    }
    Run& run = *lane.block->run;
    run.aborting = true;
    current_lane = nullptr;
    watched_lane = nullptr;
    lk_emulated_switch(&lane.stack_pointer, run.main_stack_pointer);
    __builtin_unreachable();
}

}  // namespace lk::emulated
