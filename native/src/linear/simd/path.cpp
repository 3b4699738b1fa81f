// A vector path. Compiled once for each instruction set, which LK_PATH names; the compiler's flags do the rest.
#include "linear/path.h"

#include "linear/simd/product.h"
#include "linear/simd/raw.h"
#include "lora/simd.h"

namespace lk::cpu {
namespace {

// Raw weights take rows as they are.
void prepare_rows(const lk_weight& weight, lk_compute compute, const float* x, int64_t begin, int64_t rows,
                  uint8_t* prepared) {
    if (!weight.codec.is_raw()) prepare(weight, compute, x, begin, rows, prepared);
}

void add_any_product(const lk_weight& weight, lk_compute compute, int64_t panel, const PreparedRows& x, int64_t begin,
                     int64_t rows, Totals totals) {
    if (weight.codec.is_raw()) return add_raw_product(weight, panel, x, begin, rows, totals);
    add_product(weight, compute, panel, x, begin, rows, totals);
}

}  // namespace

extern const Path LK_PATH = {
    .takes_straddling_groups = false,
    .prepared_row_bytes = prepared_row_bytes,
    .prepare = prepare_rows,
    .add_product = add_any_product,
    .shrink_tile = shrink_tile,
    .expand = expand,
};

}  // namespace lk::cpu
