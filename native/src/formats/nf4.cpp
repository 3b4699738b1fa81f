#include "formats/nf4.h"

#include "formats/bitsandbytes.h"

namespace lk::formats {
namespace {

Codec codec(const lk_weight_tensors& tensors) {
    float table[16];
    for (int code = 0; code < 16; ++code) table[code] = nf4::table(code);
    return bitsandbytes::codec(tensors, table);
}

}  // namespace

extern const Format kBnbNf4 = {.id = LK_FORMAT_BNB_NF4,
                               .name = "bitsandbytes NF4",
                               .has_outer_scales = true,
                               .check = bitsandbytes::check,
                               .sizes = bitsandbytes::sizes,
                               .codec = codec,
                               .storage = bitsandbytes::storage};

}  // namespace lk::formats
