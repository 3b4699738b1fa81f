#include <iterator>

#include "formats/format.h"

// All formats there are, a line each. The format's source file defines the constant.
#define LK_FORMATS(FORMAT) \
    FORMAT(kBnbNf4)        \
    FORMAT(kBnbFp4)        \
    FORMAT(kGgufQ4_0)      \
    FORMAT(kGgufQ4_1)      \
    FORMAT(kGgufIq4Nl)     \
    FORMAT(kGgufQ4_K)      \
    FORMAT(kInt4Packed)    \
    FORMAT(kMxfp4)         \
    FORMAT(kNvfp4)         \
    FORMAT(kGptq)          \
    FORMAT(kGptqV2)        \
    FORMAT(kAwq)           \
    FORMAT(kHqq)           \
    FORMAT(kOnnx)          \
    FORMAT(kGgufMxfp4)     \
    FORMAT(kGgufNvfp4)     \
    FORMAT(kF32)           \
    FORMAT(kF16)           \
    FORMAT(kBf16)          \
    FORMAT(kGgufQ5_0)      \
    FORMAT(kGgufQ5_1)      \
    FORMAT(kGgufQ8_0)      \
    FORMAT(kGgufQ2_K)      \
    FORMAT(kGgufQ3_K)      \
    FORMAT(kGgufQ5_K)      \
    FORMAT(kGgufQ6_K)      \
    FORMAT(kGgufIq4Xs)

namespace lk {

namespace formats {
#define LK_DECLARE(name) extern const Format name;
LK_FORMATS(LK_DECLARE)
#undef LK_DECLARE
}  // namespace formats

namespace {

#define LK_ADDRESS(name) &formats::name,
constexpr const Format* kFormats[] = {LK_FORMATS(LK_ADDRESS)};
#undef LK_ADDRESS

}  // namespace

const Format* find_format(int32_t id) {
    for (const Format* format : kFormats) {
        if (format->id == id) return format;
    }
    return nullptr;
}

std::string format_names() {
    std::string names;
    for (const Format* format : kFormats) {
        if (!names.empty()) names += ", ";
        names += std::string(format->name) + " (" + std::to_string(format->id) + ")";
    }
    return names;
}

}  // namespace lk
