#include "devices/cpu_paths.h"

#include <cstdlib>
#include <cstring>
#include <string>

#include "core/error.h"
#include "dequantize/dequantize.h"
#include "linear/linear.h"
#include "lora/lora.h"
#include "packing/pack.h"
#include "quantize/quantize.h"

namespace lk::cpu {
namespace {

constexpr auto always = [] { return true; };

template <const packing::Path& kPath>
void pack_by(const lk_allocator& allocator, const lk_weight_tensors& tensors, lk_weight& weight) {
    pack(kPath, allocator, tensors, weight);
}

template <const quantizing::Path& kPath>
void quantize_by(const lk_matrix& w, lk_weight_tensors& tensors) {
    quantize(kPath, w, tensors);
}

// The operations of a path by its kernels.
template <const Path& kPath, const packing::Path& kPackingPath, const quantizing::Path& kQuantizingPath>
constexpr Kernels blocked_path(lk_cpu_isa isa, const char* name, bool (*supported)()) {
    return {
        .isa = isa,
        .name = name,
        .supported = supported,
        .pack = pack_by<kPackingPath>,
        .dequantize = portable::dequantize,
        .quantize = quantize_by<kQuantizingPath>,
        .linear = [](const LinearArguments& a, Workspace& w) { blocked::linear(kPath, a, w); },
        .shrink = [](const lk_matrix& x, const BatchPlan& plan, int32_t module, const lk_matrix& s,
                     Workspace& w) { blocked::shrink(kPath, x, plan, module, s, w); },
        .expand = [](const lk_matrix& s, const BatchPlan& plan, int32_t module, const lk_matrix& y,
                     Workspace& w) { blocked::expand(kPath, s, plan, module, y, w); },
        .apply = [](const lk_matrix& x, const BatchPlan& plan, int32_t module, const lk_matrix& y,
                    Workspace& w) { blocked::apply(kPath, x, plan, module, y, w); },
        .workspace_bytes =
            [](int64_t rows, int64_t in_features, int64_t entries, int64_t rank_tiles) {
                return blocked::workspace_bytes(kPath, rows, in_features, entries, rank_tiles);
            },
    };
}

constexpr Kernels kReference = {
    .isa = LK_CPU_REFERENCE,
    .name = "reference",
    .supported = always,
    .pack = pack_by<packing::kPortablePath>,
    .dequantize = reference::dequantize,
    .quantize = quantize_by<quantizing::kPortablePath>,
    .linear = reference::linear,
    .shrink = reference::shrink,
    .expand = reference::expand,
    .apply = reference::apply,
    .workspace_bytes = reference::workspace_bytes,
};
constexpr Kernels kPortable =
    blocked_path<kPortablePath, packing::kPortablePath, quantizing::kPortablePath>(LK_CPU_PORTABLE, "portable", always);

#if defined(__x86_64__)
// What the compiler was allowed for each path (native/CMakeLists.txt).
bool has_avx2() {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
}
bool has_avx512() {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}
bool has_avx512_vnni() {
    return has_avx512() && __builtin_cpu_supports("avx512vnni");
}

constexpr Kernels kAvx2 =
    blocked_path<kAvx2Path, packing::kAvx2Path, quantizing::kAvx2Path>(LK_CPU_AVX2, "avx2", has_avx2);
constexpr Kernels kAvx512 =
    blocked_path<kAvx512Path, packing::kAvx512Path, quantizing::kAvx512Path>(LK_CPU_AVX512, "avx512", has_avx512);
constexpr Kernels kAvx512Vnni = blocked_path<kAvx512VnniPath, packing::kAvx512VnniPath, quantizing::kAvx512VnniPath>(
    LK_CPU_AVX512_VNNI, "avx512vnni", has_avx512_vnni);
#endif

// Fastest first.
constexpr const Kernels* kPaths[] = {
#if defined(__x86_64__)
    &kAvx512Vnni, &kAvx512,    &kAvx2,
#endif
    &kPortable,   &kReference,
};

std::string names() {
    std::string list;
    for (const Kernels* path : kPaths) {
        if (path->supported()) list += (list.empty() ? "" : ", ") + std::string(path->name);
    }
    return list;
}

}  // namespace

const Kernels& choose_path(lk_cpu_isa isa) {
    const char* name = isa == LK_CPU_AUTO ? std::getenv("LORAKERNELS_CPU") : nullptr;
    const bool named = name != nullptr && name[0] != '\0';
    for (const Kernels* path : kPaths) {
        const bool wanted = named ? std::strcmp(name, path->name) == 0 : isa == LK_CPU_AUTO || isa == path->isa;
        if (!wanted) continue;
        if (path->supported()) return *path;
        if (named || isa != LK_CPU_AUTO) {
            fail(LK_UNSUPPORTED, "cpu_isa: this processor cannot run '%s'; it can run %s", path->name, names().c_str());
        }
    }
    if (named) {
        fail(LK_INVALID_ARGUMENT, "LORAKERNELS_CPU: is '%s'; this processor can run %s", name, names().c_str());
    }
    fail(LK_INTERNAL, "cpu_isa %d passed the ABI's checks", static_cast<int>(isa));
}

}  // namespace lk::cpu
