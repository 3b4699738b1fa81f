#include "devices/devices.h"

#include <cstdio>

#include "core/error.h"
#include "devices/cpu_backend.h"
#include "devices/cpu_paths.h"

#define LK_TEXT_OF(x) #x
#define LK_TEXT(x) LK_TEXT_OF(x)

namespace lk {
namespace {

// Why there is no device of this kind and index, where there is none.
void check_device(lk_device_kind kind, int32_t index) {
    if (index < 0) fail(LK_INVALID_ARGUMENT, "index: is %d; devices are numbered from 0", index);
    if (kind == LK_DEVICE_CUDA) {
        fail(LK_DEVICE_UNAVAILABLE, "CUDA device %d: this build of the library has no CUDA kernels", index);
    }
    if (index >= device_count(kind)) fail(LK_DEVICE_UNAVAILABLE, "CPU %d: there is one CPU device, number 0", index);
}

}  // namespace

int32_t device_count(lk_device_kind kind) {
    return kind == LK_DEVICE_CPU ? 1 : 0;
}

void describe_device(lk_device_kind kind, int32_t index, lk_device_info& info) {
    check_device(kind, index);
    cpu::describe_machine(info);
    std::snprintf(info.isa, sizeof info.isa, "%s", cpu::choose_path(LK_CPU_AUTO).name);
}

std::unique_ptr<Backend> open_device(const lk_context_options& options, const lk_allocator& allocator) {
    check_device(options.device_kind, options.device_index);
    if (options.stream != nullptr) {
        fail(LK_INVALID_ARGUMENT, "options.stream: is %p; the CPU has no streams, set NULL", options.stream);
    }
    return std::make_unique<cpu::CpuBackend>(cpu::choose_path(options.cpu_isa), allocator);
}

const char* build_info() {
#if defined(__clang__)
    return "clang " __clang_version__ "; CUDA: not built in";
#else
    return "gcc " LK_TEXT(__GNUC__) "." LK_TEXT(__GNUC_MINOR__) "." LK_TEXT(__GNUC_PATCHLEVEL__) "; CUDA: not built in";
#endif
}

}  // namespace lk
