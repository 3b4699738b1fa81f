// From a checkpoint's codes to the words of PanelLayout, at the speed of memory: eight codes of a step at a time, not
// one code. For checkpoints that keep eight k of a row, or eight rows of a k, where whole bytes of them can be taken.
#pragma once

#include "formats/storage.h"
#include "packing/panel.h"

namespace lk::cpu {

// Panels that are best packed together: what they need of one step of all rows lies together in some checkpoints.
inline constexpr int64_t kPackedTogether = 4;

// Fills the codes of panels [begin, end). Packed k come from order[k], or from the same k where that is NULL. False,
// and nothing is written, where the storage has no such way.
bool pack_words(const NibbleStorage& storage, const void* data, const PanelLayout& layout, const int32_t* order,
                int64_t begin, int64_t end, uint8_t* packed);

// The same for a panel's zero points.
bool pack_zero_words(const NibbleStorage& storage, const void* data, const PanelLayout& layout, int64_t panel,
                     uint8_t* packed);

}  // namespace lk::cpu
