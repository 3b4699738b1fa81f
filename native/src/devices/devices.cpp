#include "devices/devices.h"

#include <cstdio>
#include <string>

#include "core/error.h"
#include "devices/cpu_backend.h"
#include "devices/cpu_paths.h"
#include "devices/cuda_devices.h"

#define LK_TEXT_OF(x) #x
#define LK_TEXT(x) LK_TEXT_OF(x)

namespace lk {
namespace {

#if defined(__clang__)
constexpr const char* kCompiler = "clang " __clang_version__;
#else
constexpr const char* kCompiler = "gcc " LK_TEXT(__GNUC__) "." LK_TEXT(__GNUC_MINOR__) "." LK_TEXT(__GNUC_PATCHLEVEL__);
#endif

// The library has one of the two kinds that run CUDA kernels.
void check_kind(lk_device_kind kind, int32_t index) {
    if (kind == LK_DEVICE_CPU || kind == cuda::device_kind()) return;
    fail(LK_DEVICE_UNAVAILABLE,
         kind == LK_DEVICE_EMULATED
             ? "emulated device %d: is in a library of its own, lorakernels_emulated, which is built from source only"
             : "CUDA device %d: this is the library of the emulated device; load lorakernels for real ones",
         index);
}

void check_index(lk_device_kind kind, int32_t index) {
    if (index < 0) fail(LK_INVALID_ARGUMENT, "index: is %d; devices are numbered from 0", index);
    check_kind(kind, index);
    if (kind == LK_DEVICE_CPU && index > 0) {
        fail(LK_DEVICE_UNAVAILABLE, "CPU %d: there is one CPU device, number 0", index);
    }
}

std::unique_ptr<Backend> open_cpu(const lk_context_options& options) {
    if (options.stream != nullptr) {
        fail(LK_INVALID_ARGUMENT, "options.stream: is %p; the CPU has no streams, set NULL", options.stream);
    }
    return std::make_unique<cpu::CpuBackend>(cpu::choose_path(options.cpu_isa), options.compute, options.allocator);
}

}  // namespace

int32_t device_count(lk_device_kind kind) {
    return kind == LK_DEVICE_CPU ? 1 : kind == cuda::device_kind() ? cuda::device_count() : 0;
}

void describe_device(lk_device_kind kind, int32_t index, lk_device_info& info) {
    check_index(kind, index);
    if (kind != LK_DEVICE_CPU) return cuda::describe_device(index, info);
    cpu::describe_machine(info);
    std::snprintf(info.isa, sizeof info.isa, "%s", cpu::choose_path(LK_CPU_AUTO).name);
}

std::unique_ptr<Backend> open_device(const lk_context_options& options) {
    check_index(options.device_kind, options.device_index);
    return options.device_kind == LK_DEVICE_CPU ? open_cpu(options) : cuda::open_device(options);
}

const char* build_info() {
    static const std::string text = std::string(kCompiler) + "; CUDA: " + cuda::build_info();
    return text.c_str();
}

}  // namespace lk
