// Weights whose values, scales and offsets are small multiples of powers of two: with activations that are small
// integers every product and sum is exact, and results are known to the bit. Packed by the layout's own formulas, one
// code at a time.
#pragma once

#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "core/numeric.h"
#include "device/harness.h"
#include "matmul/sample_formats.h"
#include "packing/cuda/fragment_view.h"

namespace lk::cuda::testing {

using emulated::testing::Array;

class SampleWeight {
  public:
    SampleWeight(const SampleFormat& format, int64_t out_features, int64_t in_features, unsigned seed)
        : codec_(format.codec), random_(seed), dequantized_(size_t(out_features * in_features)) {
        weight_.tensors.out_features = out_features;
        weight_.tensors.in_features = in_features;
        weight_.tensors.outer_group_size = format.outer_group_size;
        weight_.tensors.outer_offset = 1;
        weight_.codec = codec_;
        layout_ = fragment_layout(weight_.tensors, codec_);
        codes_.resize(size_t(layout_.codes_bytes() / 4));
        scales_.resize(size_t(layout_.scale_count() * codec_.unit_bytes()));
        zero_points_.resize(size_t(layout_.zero_points_bytes() / 2));
        if (codec_.scale_kind == ScaleKind::nested) fill_outer();
        for (int64_t row = 0; row < out_features; ++row) {
            for (int64_t k = 0; k < in_features; ++k) add(row, k);
        }
        device_codes_ = std::make_unique<Array<uint32_t>>(codes_);
        device_scales_ = std::make_unique<Array<uint8_t>>(scales_);
        device_zero_points_ = std::make_unique<Array<uint16_t>>(zero_points_);
        device_outer_ = std::make_unique<Array<float>>(outer_);
    }

    // W[row, k], exactly.
    double at(int64_t row, int64_t k) const { return dequantized_[size_t(row * weight_.tensors.in_features + k)]; }
    int64_t out_features() const { return weight_.tensors.out_features; }
    int64_t in_features() const { return weight_.tensors.in_features; }
    int64_t code_bytes() const { return int64_t(codes_.size()) * 4; }
    // Zero points included.
    int64_t scale_bytes() const {
        const bool has_zero_points = codec_.offset_kind == OffsetKind::zero_point;
        return int64_t(scales_.size()) + (has_zero_points ? int64_t(zero_points_.size()) * 2 : 0);
    }
    // By kernels so far, of codes, scales and zero points.
    int64_t bytes_read() const {
        int64_t sum = 0;
        for (const void* memory :
             {static_cast<const void*>(device_codes_->data()), static_cast<const void*>(device_scales_->data()),
              static_cast<const void*>(device_zero_points_->data())}) {
            sum += int64_t(emulated::find_allocation(memory)->bytes_read);
        }
        return sum;
    }

    FragmentView view() const {
        FragmentView view(weight_);
        view.codes = device_codes_->data();
        view.scales = device_scales_->data();
        view.zero_points = device_zero_points_->data();
        view.outer_table = device_outer_->data();
        view.outer_scales = device_outer_->data() + kOuterTableSize;
        return view;
    }

  private:
    unsigned draw(unsigned count) { return unsigned(random_() % count); }

    void fill_outer() {
        for (int i = 0; i < kOuterTableSize; ++i) outer_.push_back(float(i % 3) - 1);
        const int64_t groups = weight_.tensors.out_features * layout_.groups_per_row();
        for (int64_t i = 0; i < divide_up(groups, weight_.tensors.outer_group_size); ++i) {
            outer_.push_back(draw(2) == 0 ? .5f : 2.0f);
        }
    }

    void put_half(uint8_t* place, float value) {
        const Half half = from_float<Half>(value);
        std::memcpy(place, &half, sizeof half);
    }

    // Writes a unit and says which scale and which addend of weights each of its groups has.
    void make_unit(int64_t row, int64_t unit) {
        constexpr float kScales[4] = {.25, .5, 1, 2};
        uint8_t* const place = scales_.data() + layout_.scale_index(row, unit) * codec_.unit_bytes();
        const float scale = kScales[draw(4)];
        addend_[0] = 0;
        scale_[0] = scale;
        switch (codec_.scale_kind) {
            case ScaleKind::f16:
                put_half(place, scale);
                break;
            case ScaleKind::bf16: {
                const BFloat16 bits = from_float<BFloat16>(scale);
                std::memcpy(place, &bits, sizeof bits);
                break;
            }
            case ScaleKind::f32:
                std::memcpy(place, &scale, sizeof scale);
                break;
            case ScaleKind::e8m0:
                *place = uint8_t(127 + std::ilogb(scale));
                break;
            case ScaleKind::e4m3: {
                const unsigned mantissa = draw(8);
                const unsigned exponent = 5 + draw(4);
                *place = uint8_t(exponent << 3 | mantissa);
                const float tensor = codec_.tensor_scale_divides ? 1 / codec_.tensor_scale : codec_.tensor_scale;
                scale_[0] = std::ldexp(1 + float(mantissa) / 8, int(exponent) - 7) * tensor;
                break;
            }
            case ScaleKind::nested: {
                *place = uint8_t(draw(256));
                const int64_t outer = (row * layout_.groups_per_row() + unit) / weight_.tensors.outer_group_size;
                scale_[0] = outer_[*place] * outer_[size_t(kOuterTableSize + outer)] + weight_.tensors.outer_offset;
                break;
            }
            case ScaleKind::k_quant:
                make_k_quant(place);
                break;
        }
        if (codec_.offset_kind == OffsetKind::minimum) {
            addend_[0] = float(int(draw(9)) - 4) / 4;
            put_half(place + 2, addend_[0]);
        }
        if (codec_.offset_kind == OffsetKind::zero_point) {
            const unsigned zero = draw(16);
            zero_points_[size_t(layout_.scale_index(row, unit) / 4)] |= uint16_t(zero << (row % 32 / 8 * 4));
            zero_ = int(zero) + codec_.zero_bias;
        } else {
            zero_ = codec_.affine_zero;
        }
    }

    // ggml's get_scale_min_k4 the other way round.
    void make_k_quant(uint8_t* place) {
        const float d = .25f;
        const float d_min = .125f;
        put_half(place, d);
        put_half(place + 2, d_min);
        uint8_t* const packed = place + 4;
        for (unsigned j = 0; j < 8; ++j) {
            const unsigned scale = draw(64);
            const unsigned minimum = draw(64);
            if (j < 4) {
                packed[j] = uint8_t(packed[j] | scale);
                packed[j + 4] = uint8_t(packed[j + 4] | minimum);
            } else {
                packed[j + 4] = uint8_t((scale & 15) | (minimum & 15) << 4);
                packed[j - 4] = uint8_t(packed[j - 4] | (scale >> 4) << 6);
                packed[j] = uint8_t(packed[j] | (minimum >> 4) << 6);
            }
            scale_[j] = d * float(scale);
            addend_[j] = -d_min * float(minimum);
        }
    }

    void add(int64_t row, int64_t k) {
        if (k % codec_.unit_size() == 0) make_unit(row, k / codec_.unit_size());
        const size_t group = size_t(k % codec_.unit_size() / codec_.group_size);
        const unsigned code = draw(16);
        const CodePlace place = layout_.place(row, k);
        codes_[size_t(place.word)] |= place_code(arrangement_of(codec_.value_kind), code, place.slot);
        const double value = codec_.value_kind == ValueKind::affine ? int(code) - zero_ : codec_.values[code];
        dequantized_[size_t(row * weight_.tensors.in_features + k)] = value * scale_[group] + addend_[group];
    }

    Codec codec_;
    lk_weight weight_;
    FragmentLayout layout_;
    std::mt19937 random_;
    std::vector<double> dequantized_;
    std::vector<uint32_t> codes_;
    std::vector<uint8_t> scales_;
    std::vector<uint16_t> zero_points_;
    std::vector<float> outer_;
    float scale_[8] = {};
    float addend_[8] = {};
    int zero_ = 0;
    std::unique_ptr<Array<uint32_t>> device_codes_;
    std::unique_ptr<Array<uint8_t>> device_scales_;
    std::unique_ptr<Array<uint16_t>> device_zero_points_;
    std::unique_ptr<Array<float>> device_outer_;
};

// Integers -2 ... 2 in rows of a 16-bit type, then zeros up to a multiple of 32 columns; what lies between rows is NaN.
class SampleMatrix {
  public:
    SampleMatrix(lk_dtype dtype, int64_t rows, int64_t used_columns, int64_t padding, unsigned seed)
        : dtype_(dtype),
          rows_(rows),
          columns_(round_up(used_columns, FragmentLayout::kBlockDepth)),
          stride_(columns_ + padding) {
        const int64_t columns = columns_;
        const int64_t stride = stride_;
        std::mt19937 random(seed);
        bits_.assign(size_t(rows * stride), uint16_t(0x7fff));
        values_.resize(size_t(rows * columns));
        for (int64_t r = 0; r < rows; ++r) {
            for (int64_t c = 0; c < columns; ++c) {
                const float value = c < used_columns ? float(int(random() % 5) - 2) : 0.0f;
                values_[size_t(r * columns + c)] = value;
                bits_[size_t(r * stride + c)] = rounded(value);
            }
        }
        device_ = std::make_unique<Array<uint16_t>>(bits_);
    }

    double at(int64_t row, int64_t column) const { return values_[size_t(row * columns_ + column)]; }
    // The 16 bits that a value is rounded to.
    uint16_t rounded(double value) const {
        return dtype_ == LK_DTYPE_F16 ? from_float<Half>(float(value)).bits : from_float<BFloat16>(float(value)).bits;
    }
    lk_matrix view() const { return view(0, rows_); }
    lk_matrix view(int64_t first, int64_t count) const {
        return {device_->data() + first * stride_, count, columns_, stride_, dtype_, 0};
    }

  private:
    lk_dtype dtype_;
    int64_t rows_, columns_, stride_;
    std::vector<uint16_t> bits_;
    std::vector<float> values_;
    std::unique_ptr<Array<uint16_t>> device_;
};

}  // namespace lk::cuda::testing
