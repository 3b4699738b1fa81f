#include "quantize/quantize.h"

#include "core/error.h"
#include "quantize/formats.h"

namespace lk {

const Levels& levels_of(lk_format format) {
    static constexpr Levels nf4 = nf4::levels();
    static constexpr Levels fp4 = fp4::levels();
    return format == LK_FORMAT_BNB_NF4 ? nf4 : fp4;
}

namespace cpu {

void fail_not_finite(const lk_matrix& w, int64_t index, float value) {
    fail(LK_INVALID_ARGUMENT, "w[%lld, %lld]: is %g; only finite weights can be quantized",
         static_cast<long long>(index / w.columns), static_cast<long long>(index % w.columns), double(value));
}

void quantize(const quantizing::Path& path, const lk_matrix& w, lk_weight_tensors& tensors) {
    if (tensors.format == LK_FORMAT_INT4_PACKED) {
        quantize_int4(path, w, tensors);
    } else {
        quantize_bitsandbytes(path, w, tensors);
    }
}

}  // namespace cpu
}  // namespace lk
