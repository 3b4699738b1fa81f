// Shared memory that copies write while threads go on: poisoned from their start, and not to be touched until they
// land.
#pragma once

#include "platform/cuda_emulated/state.h"

namespace lk::emulated {

// The lane starts a copy into [shared, shared + bytes): by then nobody may still use what lies there.
void begin_async_write(Lane& lane, char* shared, uint32_t bytes);

// The copy has landed: what it wrote counts as a write of this thread, or of an agent (Cell::agent | row), at `tick`.
void end_async_write(Block& block, const char* shared, uint32_t bytes, uint16_t writer, uint32_t tick);

// The bytes lie in variables of shared memory, aligned: else the launch ends.
void check_shared_operand(const Lane& lane, const void* shared, uint32_t bytes, uint32_t alignment, const char* what);

// Plain stores to the bytes that no proxy fence has shown to the async proxy are a finding.
void check_proxy(Lane& lane, const char* shared, uint32_t bytes, const char* what);

// Somebody who is not a thread reads the bytes from now on; ends with end_async_read.
void begin_async_read(Block& block, const char* shared, uint32_t bytes);
void end_async_read(Block& block, const char* shared, uint32_t bytes);

}  // namespace lk::emulated
