// Rows of matrices of 4-bit numbers, on the host.
#pragma once

#include "formats/storage.h"

namespace lk {

// The first `count` numbers of a row, one a byte.
void read_nibbles(const NibbleStorage& storage, const void* data, int64_t row, int64_t count, uint8_t* out);
// Rows may be written in any order, but not two rows that share a byte at the same time.
void write_nibbles(const NibbleStorage& storage, void* data, int64_t row, int64_t count, const uint8_t* in);

}  // namespace lk
