// Broken rules: what is reported, and what ends a launch.
#pragma once

#include <string>

#include "platform/cuda_emulated/state.h"

namespace lk::emulated {

// "block (1,0,0)", "block (1,0,0) thread 37 (warp 1 lane 5)".
std::string name_of(const Block& block);
std::string name_of(const Lane& lane);
// "kernel.cuh:42".
std::string text_of(Site site);
// Where the lane is: at its last primitive, or at a plain access behind it.
std::string place_of(const Lane& lane, const void* pc);

// Remembers a finding; the launch goes on. One for each kind and place, 20 in all.
__attribute__((format(printf, 4, 5))) void note(const Lane& lane, const char* kind, const void* pc, const char* format,
                                                ...);

// Remembers a finding that leaves nothing to go on with, and ends the launch. Called on a fiber, which is left.
[[noreturn]] __attribute__((format(printf, 2, 3))) void stop(const char* kind, const char* format, ...);

// The launch ends with a finding that concerns no lane in particular.
void note_text(Run& run, std::string text);

}  // namespace lk::emulated
