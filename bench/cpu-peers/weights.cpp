#include "weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

namespace bench {
namespace {

struct Block {
    int64_t weights;
    int64_t bytes;
    lk_format format;
};

Block block_of(const std::string& format) {
    if (format == "q4_0") return {32, 18, LK_FORMAT_GGUF_Q4_0};
    if (format == "iq4_nl") return {32, 18, LK_FORMAT_GGUF_IQ4_NL};
    if (format == "q4_1") return {32, 20, LK_FORMAT_GGUF_Q4_1};
    if (format == "mxfp4") return {32, 17, LK_FORMAT_GGUF_MXFP4};
    if (format == "q4_k") return {256, 144, LK_FORMAT_GGUF_Q4_K};
    return {0, 0, LK_FORMAT_INT4_PACKED};
}

// fp16 bits of a normal number.
double half(const uint8_t* bytes) {
    const int bits = bytes[0] | bytes[1] << 8;
    return std::ldexp(1024 + (bits & 1023), (bits >> 10 & 31) - 25);
}

constexpr int kE2m1Doubled[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
constexpr int kIq4Nl[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

// Row n of W, from the formats' definitions (ggml's block structures, ONNX Runtime's MatMulNBits).
std::vector<double> row_of(const Weight& w, int64_t n, int64_t k) {
    std::vector<double> row(static_cast<size_t>(k));
    const Block block = block_of(w.format);
    for (int64_t i = 0; i < k && block.bytes == 0; ++i) {
        const int code = w.codes[size_t((n * k + i) / 2)] >> (i % 2 * 4) & 15;
        row[size_t(i)] = (code - 8) * double(w.scales[size_t((n * k + i) / w.group)]);
    }
    for (int64_t b = 0; b < k && block.bytes != 0; b += block.weights) {
        const uint8_t* bytes = w.codes.data() + (n * k + b) / block.weights * block.bytes;
        for (int64_t i = 0; i < block.weights; ++i) {
            double& value = row[size_t(b + i)];
            if (w.format == "q4_k") {
                const int64_t g = i / 32;
                const uint8_t* sc = bytes + 4;
                const int s = g < 4 ? sc[g] & 63 : (sc[g + 4] & 15) | sc[g - 4] >> 6 << 4;
                const int m = g < 4 ? sc[g + 4] & 63 : sc[g + 4] >> 4 | sc[g] >> 6 << 4;
                const int code = bytes[16 + g / 2 * 32 + i % 32] >> (g % 2 * 4) & 15;
                value = half(bytes) * s * code - half(bytes + 2) * m;
                continue;
            }
            const int code = bytes[block.bytes - 16 + i % 16] >> (i / 16 * 4) & 15;
            if (w.format == "mxfp4") value = std::ldexp(kE2m1Doubled[code], bytes[0] - 128);
            if (w.format == "q4_0") value = half(bytes) * (code - 8);
            if (w.format == "q4_1") value = half(bytes) * code + half(bytes + 2);
            if (w.format == "iq4_nl") value = half(bytes) * kIq4Nl[code];
        }
    }
    return row;
}

}  // namespace

Weight random_weight(const std::string& format, int64_t group, const Shape& shape) {
    Weight weight{format, group, {}, {}};
    const Block block = block_of(format);
    const int64_t weights = shape.n * shape.k;
    weight.codes.resize(size_t(block.bytes == 0 ? weights / 2 : weights / block.weights * block.bytes));
    std::mt19937 random(1);
    for (uint8_t& byte : weight.codes) byte = uint8_t(random());
    // Scales of one size: fp16 numbers between 2^-8 and 2^-7.
    for (size_t i = 0; block.bytes != 0 && i < weight.codes.size(); i += size_t(block.bytes)) {
        if (format == "mxfp4") {
            weight.codes[i] = uint8_t(118 + weight.codes[i] % 4);
            continue;
        }
        weight.codes[i + 1] = uint8_t(0x1c | (weight.codes[i + 1] & 3));
        if (format == "q4_k") weight.codes[i + 3] = uint8_t(0x1c | (weight.codes[i + 3] & 3));
        // Minimums that center the values.
        if (format == "q4_1") weight.codes[i + 3] = uint8_t(0xa8 | (weight.codes[i + 3] & 3));
    }
    if (block.bytes == 0) {
        weight.scales.resize(size_t(weights / group));
        for (float& scale : weight.scales) scale = 0x1p-8f * (1 + float(random() % 1024) / 1024);
    }
    return weight;
}

Weight rotated(const Weight& weight, const Shape& shape, int by) {
    Weight other = weight;
    std::rotate(other.codes.begin(), other.codes.begin() + by * int64_t(other.codes.size()) / shape.n,
                other.codes.end());
    std::rotate(other.scales.begin(), other.scales.begin() + by * int64_t(other.scales.size()) / shape.n,
                other.scales.end());
    return other;
}

std::string name_of(const std::string& format, int64_t group) {
    return format == "int4" ? format + " g" + std::to_string(group) : format;
}

lk_weight_tensors describe(const Weight& weight, const Shape& shape) {
    lk_weight_tensors tensors{};
    tensors.struct_size = sizeof tensors;
    tensors.format = block_of(weight.format).format;
    tensors.out_features = shape.n;
    tensors.in_features = shape.k;
    tensors.group_size = weight.scales.empty() ? 32 : weight.group;
    tensors.codes = {const_cast<uint8_t*>(weight.codes.data()), int64_t(weight.codes.size())};
    if (!weight.scales.empty()) {
        tensors.scales = {const_cast<float*>(weight.scales.data()), int64_t(weight.scales.size() * sizeof(float))};
        tensors.scale_dtype = LK_DTYPE_F32;
    }
    return tensors;
}

int64_t bytes_of(const Weight& weight) {
    return int64_t(weight.codes.size() + weight.scales.size() * sizeof(float));
}

std::vector<double> reference(const Weight& weight, const Shape& shape, const std::vector<float>& x, int64_t rows,
                              int64_t columns) {
    std::vector<double> y(size_t(rows * columns));
    for (int64_t c = 0; c < columns; ++c) {
        const std::vector<double> w = row_of(weight, c, shape.k);
        for (int64_t r = 0; r < rows; ++r) {
            double sum = 0;
            for (int64_t k = 0; k < shape.k; ++k) sum += double(x[size_t(r * shape.k + k)]) * w[size_t(k)];
            y[size_t(r * columns + c)] = sum;
        }
    }
    return y;
}

}  // namespace bench
