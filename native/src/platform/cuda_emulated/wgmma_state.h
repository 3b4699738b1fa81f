// What a warp has under way of its warpgroup's products.
#pragma once

#include <vector>

#include "platform/cuda_emulated/state.h"

namespace lk::emulated {

inline constexpr uint32_t warps_per_group = 4;

// What all four warps must give alike.
struct WgmmaSignature {
    uint64_t a_descriptor;  // 0 with A in registers
    uint64_t b_descriptor;
    int columns;
    bool a_in_registers;
    bool bfloat16;
    bool accumulate;

    bool operator==(const WgmmaSignature&) const = default;
};

struct WgmmaOperation {
    WgmmaSignature signature;
    size_t accumulator;  // index
    uint32_t a[warp_size][4];
    Site site;
};

// The accumulators of one tile, known by where the lanes keep them.
struct Accumulators {
    float* place[warp_size];
    int columns;
    uint32_t under_way;         // operations
    std::vector<float> values;  // 32 lanes × columns / 2; once complete, as the last product left them
};

struct WgmmaState {
    Groups<WgmmaOperation> operations;
    std::vector<Accumulators> accumulators;
    uint64_t issued = 0;
    bool fenced = false;               // wgmma_fence came after the last wait
    const uint32_t* last_a = nullptr;  // lane 0's registers of A in the last product, and what they held
    uint32_t last_a_values[4] = {};
    bool fenced_since_a = false;
    uint32_t waiting = 0;                         // lanes that wait for the other warps
    std::vector<WgmmaSignature> issued_by_group;  // in the group's first warp: the products in their order
};

// Calls visit(row, address in the window) for each 16 bytes of the K-major operand: `rows` rows of 16 elements.
// PTX ISA "Strides" and "Canonical Layouts" of wgmma.
template <class Visit>
inline void visit_operand(uint64_t descriptor, uint32_t first_row, uint32_t rows, Visit visit) {
    constexpr uint32_t rows_per_group = 8;
    const uint32_t start = uint32_t(descriptor & 0x3fff) << 4;
    const uint32_t leading = uint32_t(descriptor >> 16 & 0x3fff) << 4;
    const uint32_t stride = uint32_t(descriptor >> 32 & 0x3fff) << 4;
    const uint32_t mode = uint32_t(descriptor >> 62);
    for (uint32_t row = first_row; row < first_row + rows; ++row) {
        for (uint32_t chunk = 0; chunk < 2; ++chunk) {
            const uint32_t group = start + row / rows_per_group * stride;
            const uint32_t in_group = row % rows_per_group;
            uint32_t address = 0;
            if (mode == 0) {
                address = group + chunk * leading + in_group * 16;
            } else {
                // 1, 2, 3: rows of 128, 64, 32 bytes, chunks xored with the row's bits of the address.
                const uint32_t row_bytes = 256u >> mode;
                const uint32_t chunk_bits = (row_bytes - 1) & 0x70;
                address = group + in_group * row_bytes + chunk * 16;
                address ^= address >> 3 & chunk_bits;
            }
            visit(row, chunk, address);
        }
    }
}

// The operation's product, added to the accumulators' values of this warp.
void compute(const Block& block, const Warp& warp, const WgmmaOperation& operation, Accumulators& accumulators);

}  // namespace lk::emulated
