// Act-order: the checkpoint names the group of every k (`g_idx`), and neighbours in a row may be of different groups.
// Packing sorts k by group, so that groups are contiguous, and keeps the order; x is gathered by it.
#pragma once

#include "formats/format.h"

namespace lk::formats {

// Throws unless the i32 at `group_index` number the groups 0 … and each has group_size members, the last one what is
// left: groups of other sizes cannot be laid side by side.
void check_group_index(const lk_weight_tensors& tensors);

// Whether sorting would change nothing. An empty group index is in order.
bool is_in_order(const lk_weight_tensors& tensors);

// order[packed k] = k of the checkpoint. The sort is stable.
void read_order(const lk_weight_tensors& tensors, int32_t* order);
// The inverse; NULL where the group index is in order.
void write_group_index(const lk_weight_tensors& tensors, const int32_t* order);

}  // namespace lk::formats
