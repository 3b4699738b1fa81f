// The functions of lorakernels_emulated.h.
#include <cstdio>
#include <string>

#include "abi/checks.h"
#include "core/error.h"
#include "platform/cuda_emulated/device_memory.h"
#include "platform/cuda_emulated/machine.h"

using namespace lk;
using namespace lk::abi;
using lk::emulated::Machine;

namespace {

template <class Body>
lk_status control(Body body) {
    return guard([&] {
        Machine& machine = Machine::instance();
        const std::lock_guard lock(machine.mutex);
        body(machine);
    });
}

int64_t live_bytes(const Machine& machine) {
    size_t sum = 0;
    for (const auto& [_, context] : machine.contexts) sum += context->memory_bytes;
    for (const auto& [_, block] : machine.physical.blocks()) sum += block.bytes;
    return int64_t(sum);
}

int64_t reserved_bytes() {
    size_t sum = 0;
    for (const emulated::Allocation* allocation : emulated::live_allocations()) {
        if (allocation->reserved) sum += allocation->bytes;
    }
    return int64_t(sum);
}

void apply(Machine& machine, const lk_emulated_options& options) {
    machine.settings = options;
    machine.settings_error.clear();
    machine.seed(options.seed);
}

}  // namespace

lk_status lk_emulated_options_get(lk_emulated_options* options_out) {
    return control([&](Machine& machine) {
        require_struct(options_out, "options_out");
        *options_out = machine.settings;
    });
}

lk_status lk_emulated_configure(const lk_emulated_options* options) {
    return control([&](Machine& machine) {
        require(options, "options");
        require_size(options->struct_size, sizeof *options, "options");
        emulated::check_settings(*options);
        apply(machine, *options);
    });
}

lk_status lk_emulated_configure_text(const char* text) {
    return control([&](Machine& machine) {
        require(text, "text");
        lk_emulated_options options = machine.settings;
        emulated::parse_settings(text, options);
        apply(machine, options);
    });
}

lk_status lk_emulated_fail_next(lk_emulated_failure failure) {
    return control([&](Machine& machine) {
        if (failure < LK_EMULATED_OUT_OF_MEMORY || failure > LK_EMULATED_ARCHITECTURE_NOT_BUILT) {
            fail(LK_INVALID_ARGUMENT, "failure: is %d; allowed are 0 ... 3", int(failure));
        }
        machine.failures.insert(failure);
    });
}

lk_status lk_emulated_reset(void) {
    return control([&](Machine& machine) {
        machine.failures.clear();
        std::vector<CUcontext> lost;
        for (const auto& [handle, context] : machine.contexts) {
            if (context->error != cudaSuccess) lost.push_back(handle);
        }
        for (const CUcontext handle : lost) {
            machine.destroy_context(handle);
            std::erase(Machine::thread().contexts, handle);
        }
    });
}

lk_status lk_emulated_statistics_get(lk_emulated_statistics* statistics_out) {
    return control([&](Machine& machine) {
        require_struct(statistics_out, "statistics_out");
        *statistics_out = machine.statistics;
        statistics_out->struct_size = sizeof *statistics_out;
        statistics_out->live_bytes = live_bytes(machine);
        statistics_out->reserved_bytes = reserved_bytes();
    });
}

lk_status lk_emulated_statistics_clear(void) {
    return control([](Machine& machine) { machine.statistics = {}; });
}

lk_status lk_emulated_list_memory(char* text, uint64_t size) {
    return control([&](Machine& machine) {
        require(text, "text");
        if (size == 0) fail(LK_INVALID_ARGUMENT, "size: is 0; there must be room for the end of the text");
        std::string list;
        for (const emulated::Allocation* allocation : emulated::live_allocations()) {
            for (const auto& [_, context] : machine.contexts) {
                if (context->id != allocation->owner) continue;
                list += "device " + std::to_string(context->device) + ": " + std::to_string(allocation->bytes) +
                        " bytes (allocation " + std::to_string(allocation->id) + ")\n";
            }
        }
        for (const auto& [handle, block] : machine.physical.blocks()) {
            list += "device " + std::to_string(block.device) + ": " + std::to_string(block.bytes) +
                    " bytes to be mapped (handle " + std::to_string(handle) + ")\n";
        }
        for (const emulated::Allocation* allocation : emulated::live_allocations()) {
            if (!allocation->reserved) continue;
            list += std::to_string(allocation->bytes) + " bytes of addresses (allocation " +
                    std::to_string(allocation->id) + ")\n";
        }
        std::snprintf(text, size, "%s", list.c_str());
    });
}

lk_status lk_emulated_traffic(const void* memory, int64_t* bytes_read_out, int64_t* bytes_written_out) {
    return control([&](Machine&) {
        require(bytes_read_out, "bytes_read_out");
        require(bytes_written_out, "bytes_written_out");
        const emulated::Allocation* const allocation = emulated::find_allocation(memory);
        if (allocation == nullptr) fail(LK_NOT_FOUND, "memory: %p is not device memory", memory);
        *bytes_read_out = int64_t(allocation->bytes_read);
        *bytes_written_out = int64_t(allocation->bytes_written);
    });
}
