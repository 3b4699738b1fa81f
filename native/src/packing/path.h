// What an instruction set path computes by itself of packing.
#pragma once

#include "formats/storage.h"
#include "packing/panel.h"

namespace lk::cpu::packing {

struct Path {
    // Panels that are best packed together: what they need of one step of all rows lies together in some checkpoints.
    static constexpr int64_t kPanelsTogether = 4;

    // From a checkpoint's codes to the words of panels [begin, end), at the speed of memory: eight codes of a step at a
    // time, not one code. Packed k come from order[k], or from the same k where that is NULL. False, and nothing is
    // written, where the storage keeps neither eight k of a row nor eight rows of a k together.
    bool (*pack_words)(const NibbleStorage& storage, const void* data, const PanelLayout& layout, const int32_t* order,
                       int64_t begin, int64_t end, uint8_t* packed);
};

extern const Path kPortablePath;
#if defined(__x86_64__)
extern const Path kAvx2Path;
extern const Path kAvx512Path;
extern const Path kAvx512VnniPath;
#endif

}  // namespace lk::cpu::packing
