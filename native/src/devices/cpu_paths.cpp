#include "devices/cpu_paths.h"

#include <cstdlib>
#include <cstring>
#include <string>

#include "core/error.h"
#include "dequantize/dequantize.h"
#include "linear/linear.h"
#include "lora/lora.h"

namespace lk::cpu {
namespace {

constexpr auto always = [] { return true; };

// Fastest first.
const Kernels* const kPaths[] = {&kPortable, &kReference};

std::string names() {
    std::string list;
    for (const Kernels* path : kPaths) {
        if (path->supported()) list += (list.empty() ? "" : ", ") + std::string(path->name);
    }
    return list;
}

}  // namespace

const Kernels kReference = {
    .isa = LK_CPU_REFERENCE,
    .name = "reference",
    .supported = always,
    .dequantize = reference::dequantize,
    .linear = reference::linear,
    .shrink = reference::shrink,
    .expand = reference::expand,
    .apply = reference::apply,
    .workspace_bytes = reference::workspace_bytes,
};

const Kernels kPortable = {
    .isa = LK_CPU_PORTABLE,
    .name = "portable",
    .supported = always,
    .dequantize = portable::dequantize,
    .linear = portable::linear,
    .shrink = portable::shrink,
    .expand = portable::expand,
    .apply = portable::apply,
    .workspace_bytes = portable::workspace_bytes,
};

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
