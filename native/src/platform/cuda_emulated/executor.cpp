#include "platform/cuda_emulated/executor.h"

#include <algorithm>
#include <mutex>
#include <numeric>

#include "core/error.h"
#include "platform/cuda_emulated/block.h"
#include "platform/cuda_emulated/device_memory.h"
#include "platform/cuda_emulated/fault.h"
#include "platform/cuda_emulated/scheduler.h"
#include "platform/cuda_emulated/target.h"

namespace lk::emulated {

thread_local constinit Lane* current_lane __attribute__((tls_model("initial-exec"))) = nullptr;
thread_local constinit Lane* watched_lane __attribute__((tls_model("initial-exec"))) = nullptr;

namespace {

constexpr uint32_t most_threads = 1024;
// Of every block, for the system.
constexpr uint32_t reserved_shared = 1024;

std::mutex one_at_a_time;
uint64_t launches = 0;

uint64_t volume(dim3 extent) {
    return uint64_t(extent.x) * extent.y * extent.z;
}

void check_launch(const Launch& launch, const Options& options) {
    const uint64_t threads = volume(launch.block);
    if (threads == 0 || threads > most_threads || volume(launch.grid) == 0) {
        fail(LK_INVALID_ARGUMENT, "a launch of %u x %u x %u blocks of %u x %u x %u threads", launch.grid.x,
             launch.grid.y, launch.grid.z, launch.block.x, launch.block.y, launch.block.z);
    }
    if (launch.dynamic_shared > options.shared_per_block) {
        fail(LK_INVALID_ARGUMENT, "a launch with %u bytes of shared memory a block; the device has %u",
             launch.dynamic_shared, options.shared_per_block);
    }
}

// How many blocks the device holds at once.
uint32_t resident_limit(const Launch& launch, const Options& options) {
    const auto threads = uint32_t(volume(launch.block) + 31) / 32 * 32;
    const uint32_t by_shared = options.shared_per_multiprocessor / (launch.dynamic_shared + reserved_shared);
    const uint32_t each =
        std::min({options.threads_per_multiprocessor / threads, options.blocks_per_multiprocessor, by_shared});
    return std::max(1u, each * options.multiprocessors);
}

// A step that visits every block once.
uint64_t seeded_stride(uint64_t seed, uint64_t count) {
    uint64_t stride = (seed * 0x9E3779B97F4A7C15ull >> 33) % count | 1;
    while (std::gcd(stride, count) != 1) ++stride;
    return stride;
}

}  // namespace

LaunchReport execute(const Launch& launch, const Options& options) {
    check_launch(launch, options);
    const std::lock_guard lock(one_at_a_time);
    LaunchReport report;
    Run run;
    run.launch = &launch;
    run.options = &options;
    run.report = &report;
    run.id = ++launches;
    run.random = (options.seed + 1) * 0x9E3779B97F4A7C15ull;
    run.block_count = volume(launch.grid);
    run.block_stride = seeded_stride(options.seed, run.block_count);
    run.resident_limit = resident_limit(launch, options);
    if (!options.checked) assume_initialised();
    const FaultHandler faults;

    start_blocks(run, 1 + uint32_t(options.seed % 3));
    Block& first = *run.resident[run.next_random() % run.resident.size()];
    Lane& lane = first.warps[first.current_warp]->lanes[0];
    current_lane = &lane;
    watched_lane = options.checked ? &lane : nullptr;
    lk_emulated_switch(&run.main_stack_pointer, lane.stack_pointer);

    drop_blocks(run);
    clock_store().clear();
    return report;
}

// ---- What kernels ask for in CUDA's spelling (target.h) ----

uint3 thread_index() {
    return current_lane->thread;
}

uint3 block_index() {
    return current_lane->block->index;
}

dim3 block_extent() {
    return current_run().launch->block;
}

dim3 grid_extent() {
    return current_run().launch->grid;
}

void* static_shared(const void* key, size_t bytes, size_t alignment) {
    Block& block = *current_lane->block;
    return block.shared + static_shared_offset(block, key, bytes, alignment);
}

void* dynamic_shared() {
    return current_lane->block->shared;
}

uint32_t shared_address(const void* pointer) {
    return current_lane->block->offset(pointer);
}

}  // namespace lk::emulated
