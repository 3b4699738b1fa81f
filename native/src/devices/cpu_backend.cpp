#include "devices/cpu_backend.h"

#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <thread>

#include "core/matrix.h"
#include "lora/adapter_memory.h"
#include "packing/pack.h"
#include "platform/cpu/system_pages.h"
#include "platform/cpu/thread_pool.h"

namespace lk::cpu {
namespace {

// The processor's name as Linux gives it, or "CPU".
void read_name(char* out, size_t size) {
    std::snprintf(out, size, "CPU");
    std::FILE* file = std::fopen("/proc/cpuinfo", "r");
    if (file == nullptr) return;
    char line[512];
    while (std::fgets(line, sizeof line, file) != nullptr) {
        if (std::strncmp(line, "model name", 10) != 0) continue;
        const char* value = std::strchr(line, ':');
        if (value == nullptr) break;
        value += std::strspn(value, ": \t");
        std::snprintf(out, size, "%.*s", int(std::strcspn(value, "\n")), value);
        break;
    }
    std::fclose(file);
}

[[noreturn]] void refuse_recording() {
    fail(LK_UNSUPPORTED, "context: is on the CPU, where operations cannot be recorded; they are complete at once");
}

}  // namespace

void describe_machine(lk_device_info& info) {
    info.kind = LK_DEVICE_CPU;
    info.index = 0;
    info.compute_units = std::max(1, int(std::thread::hardware_concurrency()));
    info.memory_bytes = int64_t(sysconf(_SC_PHYS_PAGES)) * int64_t(sysconf(_SC_PAGE_SIZE));
    read_name(info.name, sizeof info.name);
}

void CpuBackend::describe(lk_device_info& info) const {
    describe_machine(info);
    std::snprintf(info.isa, sizeof info.isa, "%s", kernels_.name);
}

std::shared_ptr<AdapterMemory> CpuBackend::adapter_memory() const {
    if (has_hook_) return std::make_shared<AdapterBlocks>(allocator_, 64);
    return std::make_shared<AdapterBlocks>(system_pages(), kSystemPage);
}

void CpuBackend::begin_capture() {
    refuse_recording();
}

std::unique_ptr<Recording> CpuBackend::end_capture() {
    refuse_recording();
}

void CpuBackend::launch(const Recording&) {
    refuse_recording();
}

void CpuBackend::fill(const std::vector<char*>& pieces, const std::vector<int64_t>&,
                      const std::function<void(size_t piece, char* out)>& write) {
    for (size_t piece = 0; piece < pieces.size(); ++piece) write(piece, pieces[piece]);
}

void CpuBackend::copy(const lk_matrix& source, lk_copy_kind, const lk_matrix& destination) {
    const auto row_bytes = size_t(source.columns * size_of(source.dtype));
    if (row_bytes == 0) return;
    for (int64_t row = 0; row < source.rows; ++row) {
        std::memcpy(static_cast<char*>(destination.data) + row * destination.row_stride * size_of(source.dtype),
                    static_cast<const char*>(source.data) + row * source.row_stride * size_of(source.dtype), row_bytes);
    }
}

void CpuBackend::pack(const lk_weight_tensors& tensors, lk_weight& weight) {
    kernels_.pack(allocator_, tensors, weight);
}

void CpuBackend::unpack(const lk_weight& weight, const lk_weight_tensors& tensors_out) {
    cpu::unpack(weight, tensors_out);
}

void CpuBackend::dequantize(const lk_weight& weight, const lk_matrix& y) {
    kernels_.dequantize(weight, y);
}

void CpuBackend::quantize(const lk_matrix& w, lk_weight_tensors& tensors_out) {
    kernels_.quantize(w, tensors_out);
}

void CpuBackend::linear(const LinearArguments& arguments, Workspace& workspace) {
    LinearArguments in_mode = arguments;
    in_mode.compute = compute_;
    kernels_.linear(in_mode, workspace);
}

void CpuBackend::shrink(const lk_matrix& x, const BatchPlan& plan, int32_t module, const lk_matrix& s,
                        Workspace& workspace) {
    kernels_.shrink(x, plan, module, s, workspace);
}

void CpuBackend::expand(const lk_matrix& s, const BatchPlan& plan, int32_t module, const lk_matrix& y,
                        Workspace& workspace) {
    kernels_.expand(s, plan, module, y, workspace);
}

void CpuBackend::apply(const lk_matrix& x, const BatchPlan& plan, int32_t module, const lk_matrix& y,
                       Workspace& workspace) {
    kernels_.apply(x, plan, module, y, workspace);
}

int64_t CpuBackend::workspace_bytes(int64_t rows, int64_t in_features, int64_t, int64_t entries,
                                    int64_t rank_tiles) const {
    return kernels_.workspace_bytes(rows, in_features, entries, rank_tiles);
}

}  // namespace lk::cpu
