// bitsandbytes FP4: a map of 8 magnitudes, bit 3 is the sign; bitsandbytes.h has the rest.
#include <bit>

#include "formats/bitsandbytes.h"

namespace lk::formats {
namespace {

// fp32 bits of the map that bitsandbytes writes as `quant_map`.
constexpr uint32_t kMagnitudes[8] = {0x00000000, 0x3baaaaab, 0x3f2aaaab, 0x3f800000,
                                     0x3eaaaaab, 0x3f000000, 0x3e2aaaab, 0x3e800000};

Codec codec(const lk_weight_tensors& tensors) {
    float table[16];
    for (uint32_t code = 0; code < 16; ++code) {
        table[code] = std::bit_cast<float>(kMagnitudes[code & 7] | code >> 3 << 31);
    }
    return bitsandbytes::codec(tensors, table);
}

}  // namespace

extern const Format kBnbFp4 = {.id = LK_FORMAT_BNB_FP4,
                               .name = "bitsandbytes FP4",
                               .has_outer_scales = true,
                               .check = bitsandbytes::check,
                               .sizes = bitsandbytes::sizes,
                               .codec = codec,
                               .storage = bitsandbytes::storage};

}  // namespace lk::formats
