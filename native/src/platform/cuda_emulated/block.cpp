#include "platform/cuda_emulated/block.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "platform/cuda_emulated/bulk_store.h"
#include "platform/cuda_emulated/findings.h"
#include "platform/cuda_emulated/scheduler.h"
#include "platform/cuda_emulated/wgmma.h"

namespace lk::emulated {
namespace {

constexpr uint32_t registers_per_block = 64 * 1024;
constexpr uint32_t most_registers_per_thread = 248;
// Bytes between the tops of neighbours' stacks, so that their frames lie in different cache sets.
constexpr size_t stack_colour = 320;
constexpr size_t stack_colours_bytes = 16 * 1024;

std::vector<std::unique_ptr<Block>> idle_blocks;
std::vector<std::unique_ptr<Block>> running_blocks;
// The block that ended last: its last fiber still runs on one of its stacks, until another is switched to.
std::unique_ptr<Block> ending_block;

void fiber_entry() {
    current_run().launch->call->run();
    exit_lane();
}

char* map_shared_window() {
    // A page behind it that nobody may touch.
    constexpr size_t page_bytes = 4096;
    void* const memory = mmap(nullptr, shared_window_bytes + page_bytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) fail(LK_OUT_OF_MEMORY, "no address space for emulated shared memory");
    char* const window = static_cast<char*>(memory);
    mprotect(window + shared_window_bytes, page_bytes, PROT_NONE);
    return window;
}

void add_shared(Block& block, uint32_t begin, uint32_t bytes) {
    const uint32_t words = (begin + bytes + 3) / 4;
    block.shared_bytes = std::max(block.shared_bytes, begin + bytes);
    auto* const memory = reinterpret_cast<uint32_t*>(block.shared);
    std::fill(memory + begin / 4, memory + words, poison_word);
    if (!block.run->checked()) return;
    Cell empty{};
    empty.write_thread = Cell::nobody;
    if (block.shadow.size() < words) block.shadow.resize(words, empty);
    empty.flags = Cell::allocated;
    std::fill(block.shadow.begin() + begin / 4, block.shadow.begin() + words, empty);
}

void start_warp(Block& block, uint32_t number) {
    Warp& warp = *block.warps[number];
    Run& run = *block.run;
    const uint32_t threads = std::min(block.threads - number * warp_size, warp_size);
    warp.block = &block;
    warp.lanes = &block.lanes[number * warp_size];
    warp.number = number;
    warp.existing = threads == warp_size ? all_lanes : (1u << threads) - 1;
    warp.exited = 0;
    warp.runnable = warp.existing;
    warp.open_count = 0;
    warp.collective_tick = 0;
    warp.instructions.finish();
    warp.base = run.checked() ? clock_store().make() : nullptr;
    reset_wgmma(warp);
    block.runnable_warps |= 1u << number;
}

void start_lane(Block& block, uint32_t index, char* stack) {
    Lane& lane = block.lanes[index];
    const dim3 extent = block.run->launch->block;
    lane.stack = stack;
    lane.block = &block;
    lane.warp = block.warps[index / warp_size].get();
    lane.thread = {index % extent.x, index / extent.x % extent.y, index / (extent.x * extent.y)};
    lane.index = uint16_t(index);
    lane.number = uint8_t(index % warp_size);
    lane.done = false;
    lane.doing = nullptr;
    lane.tick = 1;
    lane.own = nullptr;
    lane.released_to_block = lane.released = lane.unacquired = nullptr;
    lane.copies.clear();
    lane.stores.clear();
    lane.stack_pointer =
        prepare_stack(stack, StackPool::stack_bytes, index * stack_colour % stack_colours_bytes, fiber_entry);
}

void give_back_clocks(Block& block) {
    const auto give_back = [](Clock*& clock) {
        if (clock != nullptr) clock_store().give_back(clock);
        clock = nullptr;
    };
    for (uint32_t i = 0; i < block.warp_count; ++i) give_back(block.warps[i]->base);
    for (uint32_t i = 0; i < block.threads; ++i) {
        give_back(block.lanes[i].own);
    }
    for (const auto& barrier : block.mbarriers) {
        give_back(barrier->arriving);
        give_back(barrier->completed);
    }
    for (NamedBarrier& barrier : block.barriers) give_back(barrier.clock);
    give_back(block.proxy_fenced);
}

// setmaxnreg is for whole warpgroups.
void check_registers(const Block& block) {
    constexpr uint32_t warps_per_group = 4;
    for (uint32_t i = 0; i < block.warp_count; ++i) {
        if (block.warps[i]->registers == block.warps[i / warps_per_group * warps_per_group]->registers) continue;
        note_text(*block.run, "registers: " + name_of(block) + " ends with warps of one warpgroup that have changed " +
                                  "their registers differently");
        return;
    }
}

}  // namespace

Block::~Block() {
    if (shared != nullptr) munmap(shared, shared_window_bytes + 4096);
}

void start_block(Run& run, uint32_t number) {
    if (idle_blocks.empty()) {
        idle_blocks.push_back(std::make_unique<Block>());
        idle_blocks.back()->shared = map_shared_window();
    }
    running_blocks.push_back(std::move(idle_blocks.back()));
    idle_blocks.pop_back();
    Block& block = *running_blocks.back();
    const dim3 extent = run.launch->block;
    const dim3 grid = run.launch->grid;
    block.run = &run;
    block.number = number;
    block.index = {number % grid.x, number / grid.x % grid.y, number / (grid.x * grid.y)};
    block.threads = extent.x * extent.y * extent.z;
    block.warp_count = (block.threads + warp_size - 1) / warp_size;
    block.alive = block.threads;
    block.runnable_warps = 0;
    if (block.lanes.size() < block.threads) block.lanes.resize(block.threads);
    while (block.warps.size() < block.warp_count) block.warps.push_back(std::make_unique<Warp>());
    for (NamedBarrier& barrier : block.barriers) barrier = {};
    block.shared_bytes = 0;
    block.statics.clear();
    block.shadow.clear();
    block.cells.clear();
    block.mbarriers.clear();
    block.loads.clear();
    block.proxy_fenced = run.checked() ? clock_store().make() : nullptr;
    block.waiting_for_registers.clear();
    const uint32_t registers = std::min(registers_per_block / block.threads / 8 * 8, most_registers_per_thread);
    block.free_registers = 0;  // the compiler's launch bounds hand out all that a block gets
    add_shared(block, 0, (run.launch->dynamic_shared + 3) & ~3u);
    for (uint32_t i = 0; i < block.warp_count; ++i) {
        start_warp(block, i);
        block.warps[i]->registers = registers;
    }
    char* const stacks = block.stacks.get(block.threads);
    for (uint32_t i = 0; i < block.threads; ++i) start_lane(block, i, stacks + i * StackPool::stack_bytes);
    block.current_warp = run.next_random() % block.warp_count;
    run.resident.push_back(&block);
}

void check_exit(Lane& lane) {
    Warp& warp = *lane.warp;
    lane.doing = "exit";
    for (uint32_t i = 0; i < warp.open_count; ++i) {
        const Collective& open = warp.open[i];
        if ((open.mask & lane.bit()) == 0) continue;
        stop("divergence", "exits while lanes of its warp wait for it in %s %s", open.name, text_of(open.site).c_str());
    }
    for (const CpAsync& copy : lane.copies.operations) {
        if (copy.landed) continue;
        note(lane, "missing wait", nullptr, "exits with the cp.async of %s under way", text_of(copy.site).c_str());
        break;
    }
    for (const BulkStore& store : lane.stores.operations) {
        if (store.read) continue;
        note(lane, "missing wait", nullptr, "exits before the store of %s has read shared memory",
             text_of(store.site).c_str());
        break;
    }
    check_wgmma_exit(lane);
}

void end_block(Block& block) {
    Run& run = *block.run;
    check_registers(block);
    for (const AsyncLoad& load : block.loads) {
        if (load.copies_of != nullptr) continue;
        note_text(
            run, "missing wait: " + name_of(block) + " ends while the copy of " + text_of(load.site) + " is under way");
        break;
    }
    block.loads.clear();
    for (uint32_t i = 0; i < block.threads; ++i) land_all_stores(block.lanes[i]);
    for (uint32_t i = 0; i < block.warp_count; ++i) {
        run.report->counters.bank_conflicts += block.warps[i]->instructions.finish();
    }
    std::erase(run.resident, &block);
    give_back_clocks(block);
    const auto place = std::find_if(running_blocks.begin(), running_blocks.end(),
                                    [&](const std::unique_ptr<Block>& other) { return other.get() == &block; });
    if (ending_block != nullptr) idle_blocks.push_back(std::move(ending_block));
    ending_block = std::move(*place);
    running_blocks.erase(place);
}

void drop_blocks(Run& run) {
    run.resident.clear();
    for (auto& block : running_blocks) idle_blocks.push_back(std::move(block));
    running_blocks.clear();
}

uint32_t static_shared_offset(Block& block, const void* key, size_t bytes, size_t alignment) {
    const auto found = block.statics.find(key);
    if (found != block.statics.end()) return found->second;
    // A gap shows accesses that run from one variable into the next.
    constexpr uint32_t gap = 16;
    const auto step = uint32_t(std::max<size_t>(alignment, 16));
    const uint32_t offset = (block.shared_bytes + gap + step - 1) / step * step;
    const uint32_t used = offset + uint32_t(bytes);
    if (used > block.run->options->shared_per_block) {
        stop("too much shared memory", "has %u bytes of it, the device %u", used, block.run->options->shared_per_block);
    }
    add_shared(block, offset, uint32_t(bytes));
    block.statics.emplace(key, offset);
    return offset;
}

}  // namespace lk::emulated
