// Plain accesses to shared memory, put together again as the warp's instructions, to count cycles lost to bank
// conflicts.
#pragma once

#include <cstdint>
#include <vector>

namespace lk::emulated {

// The accesses of one warp between two points at which its lanes come together. A lane's access at a place in the
// program belongs to the warp's next instruction there. The host's compiler may take vectors apart: words that a lane
// accesses one after the other within 16 aligned bytes count as one access of them all.
class SharedInstructions {
  public:
    // Returns the extra cycles of instructions that are thereby known to be complete.
    uint32_t add(const void* pc, uint32_t lane, uint32_t offset, uint32_t bytes);
    // The lanes have come together: the extra cycles of all instructions since then.
    uint32_t finish();

  private:
    struct Instruction {
        const void* pc;
        uint32_t lanes;
        uint32_t bytes;
        uint32_t offsets[32];
    };
    // A lane's last access: which instruction, and where it ended.
    struct Last {
        uint32_t instruction;
        uint32_t end;
    };
    static uint32_t extra_cycles(const Instruction& instruction);
    bool continues_vector(uint32_t lane, uint32_t offset, uint32_t bytes);

    std::vector<Instruction> instructions_;
    Last last_[32] = {};
};

}  // namespace lk::emulated
