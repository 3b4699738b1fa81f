// The formats of formats/raw.h: one tensor, the file's blocks, which every device keeps.
#include "formats/raw.h"

#include "formats/check.h"
#include "formats/format.h"

namespace lk::formats {
namespace {

constexpr const char* name_of(RawKind kind) {
    switch (kind) {
        case RawKind::f32:
            return "F32";
        case RawKind::f16:
            return "F16";
        case RawKind::bf16:
            return "BF16";
        case RawKind::q5_0:
            return "GGUF Q5_0";
        case RawKind::q5_1:
            return "GGUF Q5_1";
        case RawKind::q8_0:
            return "GGUF Q8_0";
        case RawKind::q2_k:
            return "GGUF Q2_K";
        case RawKind::q3_k:
            return "GGUF Q3_K";
        case RawKind::q5_k:
            return "GGUF Q5_K";
        case RawKind::q6_k:
            return "GGUF Q6_K";
        case RawKind::iq4_xs:
            return "GGUF IQ4_XS";
        case RawKind::none:
            break;
    }
    return "";
}

template <RawKind Kind>
struct Raw {
    static constexpr RawBlock kBlock = raw_block(Kind);

    static void check(const lk_weight_tensors& t) {
        // So that the bytes can be counted.
        constexpr int64_t kMostWeights = int64_t{1} << 60;
        if (t.in_features != 0 && t.out_features > kMostWeights / t.in_features) {
            fail(LK_INVALID_ARGUMENT, "tensors: is %lld x %lld; %s has at most 2^60 weights",
                 static_cast<long long>(t.out_features), static_cast<long long>(t.in_features), name_of(Kind));
        }
        expect_group_size(t, kBlock.group, name_of(Kind));
        expect_in_features_multiple_of(t, kBlock.weights, name_of(Kind));
    }
    static TensorSizes sizes(const lk_weight_tensors& t) {
        return {.codes = t.out_features * (t.in_features / kBlock.weights) * kBlock.bytes};
    }
    static Codec codec(const lk_weight_tensors& t) { return {.group_size = t.group_size, .raw_kind = Kind}; }
    static Storage storage(const lk_weight_tensors&) { return {}; }

    static constexpr Format format(lk_format id) {
        return {.id = id, .name = name_of(Kind), .check = check, .sizes = sizes, .codec = codec, .storage = storage};
    }
};

}  // namespace

extern const Format kF32 = Raw<RawKind::f32>::format(LK_FORMAT_F32);
extern const Format kF16 = Raw<RawKind::f16>::format(LK_FORMAT_F16);
extern const Format kBf16 = Raw<RawKind::bf16>::format(LK_FORMAT_BF16);
extern const Format kGgufQ5_0 = Raw<RawKind::q5_0>::format(LK_FORMAT_GGUF_Q5_0);
extern const Format kGgufQ5_1 = Raw<RawKind::q5_1>::format(LK_FORMAT_GGUF_Q5_1);
extern const Format kGgufQ8_0 = Raw<RawKind::q8_0>::format(LK_FORMAT_GGUF_Q8_0);
extern const Format kGgufQ2_K = Raw<RawKind::q2_k>::format(LK_FORMAT_GGUF_Q2_K);
extern const Format kGgufQ3_K = Raw<RawKind::q3_k>::format(LK_FORMAT_GGUF_Q3_K);
extern const Format kGgufQ5_K = Raw<RawKind::q5_k>::format(LK_FORMAT_GGUF_Q5_K);
extern const Format kGgufQ6_K = Raw<RawKind::q6_k>::format(LK_FORMAT_GGUF_Q6_K);
extern const Format kGgufIq4Xs = Raw<RawKind::iq4_xs>::format(LK_FORMAT_GGUF_IQ4_XS);

}  // namespace lk::formats
