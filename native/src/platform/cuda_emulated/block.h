// The life of a block: its shared memory, its fibers, what must be over when it ends.
#pragma once

#include "platform/cuda_emulated/state.h"

namespace lk::emulated {

// Makes a block resident. `number` is its place in the grid, x first.
void start_block(Run& run, uint32_t number);

// What a lane must not leave behind when it returns from the kernel.
void check_exit(Lane& lane);

// All lanes have exited.
void end_block(Block& block);

// Gives back the blocks of a launch that ended early.
void drop_blocks(Run& run);

// The offset of a static variable of shared memory, made at the first call.
uint32_t static_shared_offset(Block& block, const void* key, size_t bytes, size_t alignment);

}  // namespace lk::emulated
