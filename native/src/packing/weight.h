// A packed weight.
#pragma once

#include <vector>

#include "core/device_id.h"
#include "core/handle.h"
#include "core/memory.h"
#include "formats/format.h"
#include "packing/panel.h"

namespace lk {

// The arrays of a packed weight. What a weight does not have is NULL.
struct PackedArrays {
    uint8_t* codes;
    uint8_t* scales;
    uint8_t* zero_points;
    float* outer;    // nested scales: the map's 256 values, then the outer scales
    int32_t* order;  // act-order: order[packed k] = k of the checkpoint
};

inline constexpr int64_t kOuterTableSize = 256;

}  // namespace lk

struct lk_weight : lk::Handle {
    // As in the checkpoint: shape, group sizes and the sizes of all buffers; pointers are NULL.
    lk_weight_tensors tensors{};
    const lk::Format* format = nullptr;
    lk::DeviceId device{};

    lk::Codec codec;
    int outer_shift = -1;          // log2 of outer_group_size, -1 if it is not a power of two
    bool in_order = true;          // packed k are the checkpoint's k; otherwise order() tells
    std::vector<uint8_t> padding;  // host memory: what read_padding gave

    lk::PanelLayout layout;  // of a CPU's weight
    lk::Block codes_memory;
    lk::Block scales_memory;
    lk::Block zero_points_memory;
    lk::Block outer_memory;
    lk::Block order_memory;

    int64_t bytes() const {
        return codes_memory.bytes() + scales_memory.bytes() + zero_points_memory.bytes() + outer_memory.bytes() +
               order_memory.bytes();
    }
    uint8_t* codes() const { return static_cast<uint8_t*>(codes_memory.data()); }
    uint8_t* scales() const { return static_cast<uint8_t*>(scales_memory.data()); }
    uint8_t* zero_points() const { return static_cast<uint8_t*>(zero_points_memory.data()); }
    float* outer_table() const { return static_cast<float*>(outer_memory.data()); }
    float* outer_scales() const { return outer_table() == nullptr ? nullptr : outer_table() + lk::kOuterTableSize; }
    // On the weight's device; NULL where it is in order.
    const int32_t* order() const { return static_cast<const int32_t*>(order_memory.data()); }
    lk::PackedArrays arrays() const {
        return {codes(), scales(), zero_points(), outer_table(), static_cast<int32_t*>(order_memory.data())};
    }
};
