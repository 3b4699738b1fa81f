#include "platform/cuda_emulated/bank_conflicts.h"

#include <algorithm>
#include <iterator>

namespace lk::emulated {
namespace {

constexpr uint32_t banks = 32;
constexpr uint32_t bank_bytes = 4;
// Loops without any collective: the instructions that came first are taken as complete.
constexpr size_t most_instructions = 64;

constexpr uint32_t vector_bytes = 16;

}  // namespace

bool SharedInstructions::continues_vector(uint32_t lane, uint32_t offset, uint32_t bytes) {
    Last& last = last_[lane];
    if (last.end != offset || offset % vector_bytes == 0 || bytes != bank_bytes) return false;
    Instruction& instruction = instructions_[last.instruction];
    const uint32_t length = offset + bytes - instruction.offsets[lane];
    if (length > vector_bytes) return false;
    instruction.bytes = std::max(instruction.bytes, length);
    last.end = offset + bytes;
    return true;
}

uint32_t SharedInstructions::add(const void* pc, uint32_t lane, uint32_t offset, uint32_t bytes) {
    const uint32_t bit = 1u << lane;
    if (continues_vector(lane, offset, bytes)) return 0;
    // Lanes mostly take the same way: the instruction after the lane's last one is the first guess.
    const auto count = uint32_t(instructions_.size());
    const uint32_t guess = last_[lane].end == 0 ? 0 : last_[lane].instruction + 1;
    for (uint32_t step = 0; step < count; ++step) {
        const uint32_t i = guess + step < count ? guess + step : guess + step - count;
        Instruction& instruction = instructions_[i];
        if (instruction.pc != pc || (instruction.lanes & bit) != 0) continue;
        instruction.lanes |= bit;
        instruction.offsets[lane] = offset;
        last_[lane] = {i, offset + bytes};
        return 0;
    }
    const uint32_t cycles = instructions_.size() < most_instructions ? 0 : finish();
    instructions_.push_back({pc, bit, bytes, {}});
    instructions_.back().offsets[lane] = offset;
    last_[lane] = {uint32_t(instructions_.size() - 1), offset + bytes};
    return cycles;
}

uint32_t SharedInstructions::finish() {
    uint32_t cycles = 0;
    for (const Instruction& instruction : instructions_) cycles += extra_cycles(instruction);
    instructions_.clear();
    std::fill(std::begin(last_), std::end(last_), Last{});
    return cycles;
}

// A cycle moves 128 bytes, one word from each bank: half a warp of 8 bytes, a quarter of 16. Lanes that want the same
// word share it.
uint32_t SharedInstructions::extra_cycles(const Instruction& instruction) {
    const uint32_t words = instruction.bytes <= 4 ? 1 : instruction.bytes <= 8 ? 2 : 4;
    const uint32_t lanes_at_once = banks / words;
    uint32_t extra = 0;
    for (uint32_t first = 0; first < banks; first += lanes_at_once) {
        uint32_t wanted[banks][banks];  // of each bank, the words
        uint8_t count[banks] = {};
        uint8_t most = 1;
        for (uint32_t lane = first; lane < first + lanes_at_once; ++lane) {
            if ((instruction.lanes >> lane & 1) == 0) continue;
            for (uint32_t i = 0; i < words; ++i) {
                const uint32_t word = instruction.offsets[lane] / bank_bytes + i;
                uint32_t* const of_bank = wanted[word % banks];
                uint8_t& found = count[word % banks];
                if (std::find(of_bank, of_bank + found, word) != of_bank + found) continue;
                of_bank[found++] = word;
                most = std::max(most, found);
            }
        }
        extra += most - 1u;
    }
    return extra;
}

}  // namespace lk::emulated
