// Zero points of eight rows to a word, as GPTQ and AWQ keep them.
#pragma once

#include "formats/storage.h"
#include "packing/panel.h"

namespace lk::cpu::packing {

// Fills a panel's zero points. False, and nothing is written, where the storage has no such words.
bool pack_zero_words(const NibbleStorage& storage, const void* data, const PanelLayout& layout, int64_t panel,
                     uint8_t* packed);

}  // namespace lk::cpu::packing
