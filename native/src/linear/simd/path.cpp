// A vector path. Compiled once for each instruction set, which LK_PATH names; the compiler's flags do the rest.
#include "linear/path.h"

#include "linear/simd/product.h"
#include "lora/simd.h"

namespace lk::cpu {

extern const Path LK_PATH = {
    .takes_straddling_groups = false,
    .prepared_row_bytes = prepared_row_bytes,
    .prepare = prepare,
    .add_product = add_product,
    .shrink_tile = shrink_tile,
    .expand_tile = expand_tile,
};

}  // namespace lk::cpu
