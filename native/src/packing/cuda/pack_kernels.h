// The kernels that move a weight between its checkpoint's layout and fragments.
#pragma once

#include "formats/storage.h"
#include "packing/cuda/fragment_view.h"
#include "platform/cuda/stream.h"

namespace lk::cuda {

// A checkpoint's tensors in device memory.
struct RawTensors {
    uint8_t* codes;
    uint8_t* units;        // where their offsets count from
    uint8_t* zero_points;  // of 4 bits, or the second halves of units; or NULL
    Storage storage;
};

// The arrays of a packed weight, to be written.
struct FragmentArrays {
    uint32_t* codes;
    uint8_t* scales;
    uint16_t* zero_points;  // or NULL
    const int32_t* order;   // order[packed k] = k of the checkpoint; or NULL
    Arrangement arrangement;
    int unit_part_bytes;  // of a unit, what lies together in the checkpoint
    bool has_zero_units;  // the other half is among the zero points
    FragmentLayout layout;
};

void pack_tensors(const Stream& stream, const RawTensors& raw, const FragmentArrays& packed);

// Bits of the checkpoint that belong to no weight become 0. position[k of the checkpoint] = packed k, or NULL.
void unpack_tensors(const Stream& stream, const FragmentArrays& packed, const int32_t* position, const RawTensors& raw);

}  // namespace lk::cuda
