// Weights in their checkpoints' layouts, with random contents.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "lorakernels.h"

namespace lk::test {

// The buffers of lk_weight_tensors.
inline constexpr lk_bytes lk_weight_tensors::*kWeightBuffers[] = {
    &lk_weight_tensors::codes,       &lk_weight_tensors::scales, &lk_weight_tensors::zero_points,
    &lk_weight_tensors::group_index, &lk_weight_tensors::table,  &lk_weight_tensors::outer_table,
    &lk_weight_tensors::outer_scales};

// The bytes of a weight in its checkpoint's layout, and the struct that points at them.
struct Tensors {
    explicit Tensors(const lk_weight_tensors& sizes) : view(sizes) {
        for (lk_bytes lk_weight_tensors::*buffer : kWeightBuffers) {
            storage.emplace_back(size_t((view.*buffer).size));
            (view.*buffer).data = storage.back().data();
        }
    }
    Tensors(const Tensors&) = delete;

    // The bytes of one buffer.
    std::vector<unsigned char>& bytes(lk_bytes lk_weight_tensors::*buffer) {
        return storage[size_t(std::find(std::begin(kWeightBuffers), std::end(kWeightBuffers), buffer) -
                              std::begin(kWeightBuffers))];
    }

    std::vector<std::vector<unsigned char>> storage;
    lk_weight_tensors view;
};

inline lk_weight_tensors shape_of(lk_format format, int64_t n, int64_t k, int64_t group) {
    lk_weight_tensors t{};
    t.struct_size = sizeof t;
    t.format = format;
    t.out_features = n;
    t.in_features = k;
    t.group_size = group;
    return t;
}

inline lk_weight_tensors nf4_sizes(int64_t n, int64_t k, int64_t group, int64_t outer_group) {
    const int64_t groups = (n * k + group - 1) / group;
    lk_weight_tensors t = shape_of(LK_FORMAT_BNB_NF4, n, k, group);
    t.outer_group_size = outer_group;
    t.codes.size = (n * k + 1) / 2;
    t.scales.size = groups * (outer_group != 0 ? 1 : 4);
    if (outer_group != 0) {
        t.outer_table.size = 1024;
        t.outer_scales.size = (groups + outer_group - 1) / outer_group * 4;
    }
    return t;
}

inline lk_weight_tensors fp4_sizes(int64_t n, int64_t k, int64_t group, int64_t outer_group) {
    lk_weight_tensors t = nf4_sizes(n, k, group, outer_group);
    t.format = LK_FORMAT_BNB_FP4;
    return t;
}

// A GGUF format with `block_bytes` for `block` weights.
inline lk_weight_tensors gguf_sizes(lk_format format, int64_t n, int64_t k, int64_t block, int64_t block_bytes) {
    lk_weight_tensors t = shape_of(format, n, k, 32);
    t.codes.size = n * k / block * block_bytes;
    return t;
}
inline lk_weight_tensors q4_0_sizes(int64_t n, int64_t k) {
    return gguf_sizes(LK_FORMAT_GGUF_Q4_0, n, k, 32, 18);
}
inline lk_weight_tensors q4_1_sizes(int64_t n, int64_t k) {
    return gguf_sizes(LK_FORMAT_GGUF_Q4_1, n, k, 32, 20);
}
inline lk_weight_tensors iq4_nl_sizes(int64_t n, int64_t k) {
    return gguf_sizes(LK_FORMAT_GGUF_IQ4_NL, n, k, 32, 18);
}
inline lk_weight_tensors q4_k_sizes(int64_t n, int64_t k) {
    return gguf_sizes(LK_FORMAT_GGUF_Q4_K, n, k, 256, 144);
}

// A raw format, with `bytes` for `block` weights.
inline lk_weight_tensors raw_sizes(lk_format format, int64_t n, int64_t k, int64_t block, int64_t bytes,
                                   int64_t group) {
    lk_weight_tensors t = gguf_sizes(format, n, k, block, bytes);
    t.group_size = group;
    return t;
}
inline lk_weight_tensors f32_sizes(int64_t n, int64_t k) {
    return raw_sizes(LK_FORMAT_F32, n, k, 1, 4, 1);
}
inline lk_weight_tensors f16_sizes(int64_t n, int64_t k) {
    return raw_sizes(LK_FORMAT_F16, n, k, 1, 2, 1);
}
inline lk_weight_tensors bf16_sizes(int64_t n, int64_t k) {
    return raw_sizes(LK_FORMAT_BF16, n, k, 1, 2, 1);
}
inline lk_weight_tensors q5_0_sizes(int64_t n, int64_t k) {
    return raw_sizes(LK_FORMAT_GGUF_Q5_0, n, k, 32, 22, 32);
}
inline lk_weight_tensors q5_1_sizes(int64_t n, int64_t k) {
    return raw_sizes(LK_FORMAT_GGUF_Q5_1, n, k, 32, 24, 32);
}
inline lk_weight_tensors q8_0_sizes(int64_t n, int64_t k) {
    return raw_sizes(LK_FORMAT_GGUF_Q8_0, n, k, 32, 34, 32);
}
inline lk_weight_tensors q2_k_sizes(int64_t n, int64_t k) {
    return raw_sizes(LK_FORMAT_GGUF_Q2_K, n, k, 256, 84, 16);
}
inline lk_weight_tensors q3_k_sizes(int64_t n, int64_t k) {
    return raw_sizes(LK_FORMAT_GGUF_Q3_K, n, k, 256, 110, 16);
}
inline lk_weight_tensors q5_k_sizes(int64_t n, int64_t k) {
    return raw_sizes(LK_FORMAT_GGUF_Q5_K, n, k, 256, 176, 32);
}
inline lk_weight_tensors q6_k_sizes(int64_t n, int64_t k) {
    return raw_sizes(LK_FORMAT_GGUF_Q6_K, n, k, 256, 210, 16);
}
inline lk_weight_tensors iq4_xs_sizes(int64_t n, int64_t k) {
    return raw_sizes(LK_FORMAT_GGUF_IQ4_XS, n, k, 256, 136, 32);
}

struct Int4Options {
    lk_dtype scale_dtype = LK_DTYPE_F16;
    bool zero_points = false;
    bool group_index = false;
};

inline lk_weight_tensors int4_sizes(int64_t n, int64_t k, int64_t group, const Int4Options& options = {}) {
    const int64_t groups = (k + group - 1) / group;
    lk_weight_tensors t = shape_of(LK_FORMAT_INT4_PACKED, n, k, group);
    t.scale_dtype = options.scale_dtype;
    t.codes.size = n * ((k + 7) / 8) * 4;
    t.scales.size = n * groups * (options.scale_dtype == LK_DTYPE_F32 ? 4 : 2);
    if (options.zero_points) t.zero_points.size = (n + 7) / 8 * groups * 4;
    if (options.group_index) t.group_index.size = k * 4;
    return t;
}

inline lk_weight_tensors mxfp4_sizes(int64_t n, int64_t k) {
    lk_weight_tensors t = shape_of(LK_FORMAT_MXFP4, n, k, 32);
    t.codes.size = n * k / 2;
    t.scales.size = n * k / 32;
    return t;
}

inline lk_weight_tensors nvfp4_sizes(int64_t n, int64_t k, bool divides) {
    lk_weight_tensors t = shape_of(LK_FORMAT_NVFP4, n, k, 16);
    t.codes.size = n * k / 2;
    t.scales.size = n * k / 16;
    t.tensor_scale = divides ? 300.0f : 1.0f / 300;
    t.tensor_scale_divides = divides ? 1 : 0;
    return t;
}

inline lk_weight_tensors gguf_mxfp4_sizes(int64_t n, int64_t k) {
    return gguf_sizes(LK_FORMAT_GGUF_MXFP4, n, k, 32, 17);
}
inline lk_weight_tensors gguf_nvfp4_sizes(int64_t n, int64_t k) {
    lk_weight_tensors t = gguf_sizes(LK_FORMAT_GGUF_NVFP4, n, k, 64, 36);
    t.group_size = 16;
    t.tensor_scale = 1.0f / 300;
    return t;
}

// Of GPTQ: both versions, and AWQ, have the same sizes.
inline lk_weight_tensors gptq_sizes(lk_format format, int64_t n, int64_t k, int64_t group,
                                    const Int4Options& options = {}) {
    lk_weight_tensors t = int4_sizes(n, k, group, options);
    t.format = format;
    t.codes.size = n * k / 2;
    t.zero_points.size = (k + group - 1) / group * n / 2;
    return t;
}

inline lk_weight_tensors hqq_sizes(int64_t n, int64_t k, int64_t group, lk_dtype scale_dtype = LK_DTYPE_F16) {
    lk_weight_tensors t = int4_sizes(n, k, group, {.scale_dtype = scale_dtype});
    t.format = LK_FORMAT_HQQ;
    t.codes.size = n * k / 2;
    t.zero_points.size = t.scales.size;
    return t;
}

enum class OnnxZeros { none, nibbles, floats };

inline lk_weight_tensors onnx_sizes(int64_t n, int64_t k, int64_t group, OnnxZeros zeros,
                                    const Int4Options& options = {}) {
    const int64_t groups = (k + group - 1) / group;
    lk_weight_tensors t = int4_sizes(n, k, group, options);
    t.format = LK_FORMAT_ONNX_NBITS;
    t.codes.size = n * groups * group / 2;
    if (zeros == OnnxZeros::nibbles) t.zero_points.size = n * ((groups + 1) / 2);
    if (zeros == OnnxZeros::floats) t.zero_points.size = t.scales.size;
    return t;
}

// Fills a weight's buffers: random codes, zero points and padding, scales near 1.
class Filler {
  public:
    Filler(Tensors& tensors, uint32_t seed) : tensors_(tensors), engine_(seed) {}

    void fill() {
        for (std::vector<unsigned char>& part : tensors_.storage) {
            for (unsigned char& byte : part) byte = static_cast<unsigned char>(engine_());
        }
        switch (tensors_.view.format) {
            case LK_FORMAT_BNB_NF4:
            case LK_FORMAT_BNB_FP4:
                return fill_bitsandbytes();
            case LK_FORMAT_GGUF_Q4_0:
            case LK_FORMAT_GGUF_IQ4_NL:
                return halves(&lk_weight_tensors::codes, 0, 18);
            case LK_FORMAT_GGUF_Q4_1:
                halves(&lk_weight_tensors::codes, 0, 20);
                return halves(&lk_weight_tensors::codes, 2, 20);
            case LK_FORMAT_GGUF_Q4_K:
                halves(&lk_weight_tensors::codes, 0, 144);
                return halves(&lk_weight_tensors::codes, 2, 144);
            case LK_FORMAT_GGUF_Q2_K:
                halves(&lk_weight_tensors::codes, 80, 84);
                return halves(&lk_weight_tensors::codes, 82, 84);
            case LK_FORMAT_GGUF_Q3_K:
                return halves(&lk_weight_tensors::codes, 108, 110);
            case LK_FORMAT_GGUF_Q5_0:
                return halves(&lk_weight_tensors::codes, 0, 22);
            case LK_FORMAT_GGUF_Q5_1:
                halves(&lk_weight_tensors::codes, 0, 24);
                return halves(&lk_weight_tensors::codes, 2, 24);
            case LK_FORMAT_GGUF_Q5_K:
                halves(&lk_weight_tensors::codes, 0, 176);
                return halves(&lk_weight_tensors::codes, 2, 176);
            case LK_FORMAT_GGUF_Q6_K:
                return halves(&lk_weight_tensors::codes, 208, 210);
            case LK_FORMAT_GGUF_Q8_0:
                return halves(&lk_weight_tensors::codes, 0, 34);
            case LK_FORMAT_GGUF_IQ4_XS:
                return halves(&lk_weight_tensors::codes, 0, 136);
            case LK_FORMAT_F32:
                return floats(&lk_weight_tensors::codes);
            case LK_FORMAT_F16:
                return halves(&lk_weight_tensors::codes, 0, 2);
            case LK_FORMAT_BF16:
                return brain_halves(&lk_weight_tensors::codes);
            case LK_FORMAT_GGUF_MXFP4:
                return bytes_between(&lk_weight_tensors::codes, 0, 17, 1, 120, 134);
            case LK_FORMAT_GGUF_NVFP4:
                return bytes_between(&lk_weight_tensors::codes, 0, 36, 4, 0, 0x7e);
            case LK_FORMAT_INT4_PACKED:
            case LK_FORMAT_GPTQ:
            case LK_FORMAT_GPTQ_V2:
            case LK_FORMAT_AWQ:
                return fill_integers(&lk_weight_tensors::scales);
            case LK_FORMAT_HQQ:
            case LK_FORMAT_ONNX_NBITS:
                fill_integers(&lk_weight_tensors::scales);
                if (tensors_.view.zero_points.size == tensors_.view.scales.size)
                    fill_integers(&lk_weight_tensors::zero_points);
                return;
            case LK_FORMAT_MXFP4:
                return bytes_between(&lk_weight_tensors::scales, 0, 1, 1, 120, 134);
            case LK_FORMAT_NVFP4:
                return bytes_between(&lk_weight_tensors::scales, 0, 1, 1, 0, 0x7e);
        }
    }

  private:
    std::vector<unsigned char>& part(lk_bytes lk_weight_tensors::*buffer) { return tensors_.bytes(buffer); }

    // fp16 from 1 to 2, every `stride` bytes.
    void halves(lk_bytes lk_weight_tensors::*buffer, size_t first, size_t stride) {
        std::vector<unsigned char>& out = part(buffer);
        for (size_t i = first; i + 1 < out.size(); i += stride) {
            out[i + 1] = static_cast<unsigned char>(0x3c | (out[i + 1] & 3));
        }
    }
    // bf16 from 1 to 2.
    void brain_halves(lk_bytes lk_weight_tensors::*buffer) {
        std::vector<unsigned char>& out = part(buffer);
        for (size_t i = 0; i + 1 < out.size(); i += 2) {
            out[i] |= 0x80;
            out[i + 1] = 0x3f;
        }
    }
    void floats(lk_bytes lk_weight_tensors::*buffer) {
        std::uniform_real_distribution<float> uniform(0.5f, 2.0f);
        std::vector<unsigned char>& out = part(buffer);
        for (size_t i = 0; i + 4 <= out.size(); i += 4) {
            const float value = uniform(engine_);
            std::memcpy(&out[i], &value, 4);
        }
    }
    // `count` bytes from `first` on, every `stride` bytes.
    void bytes_between(lk_bytes lk_weight_tensors::*buffer, size_t first, size_t stride, size_t count, unsigned lowest,
                       unsigned highest) {
        std::vector<unsigned char>& out = part(buffer);
        for (size_t i = first; i + count <= out.size(); i += stride) {
            for (size_t j = 0; j < count; ++j) {
                out[i + j] = static_cast<unsigned char>(lowest + engine_() % (highest - lowest + 1));
            }
        }
    }

    void fill_bitsandbytes() {
        if (tensors_.view.outer_group_size == 0) return floats(&lk_weight_tensors::scales);
        floats(&lk_weight_tensors::outer_table);
        floats(&lk_weight_tensors::outer_scales);
        tensors_.view.outer_offset = 0.25f;
    }

    // Numbers of the type of scales; and the group index.
    void fill_integers(lk_bytes lk_weight_tensors::*numbers) {
        switch (tensors_.view.scale_dtype) {
            case LK_DTYPE_F32:
                floats(numbers);
                break;
            case LK_DTYPE_F16:
                halves(numbers, 0, 2);
                break;
            case LK_DTYPE_BF16:
                brain_halves(numbers);
                break;
        }
        // The groups' numbers, shuffled.
        std::vector<int32_t> groups(size_t(tensors_.view.group_index.size / 4));
        for (size_t k = 0; k < groups.size(); ++k) groups[k] = int32_t(int64_t(k) / tensors_.view.group_size);
        std::shuffle(groups.begin(), groups.end(), engine_);
        if (!groups.empty())
            std::memcpy(part(&lk_weight_tensors::group_index).data(), groups.data(), groups.size() * 4);
    }

    Tensors& tensors_;
    std::mt19937 engine_;
};

inline void fill(Tensors& tensors, uint32_t seed) {
    Filler(tensors, seed).fill();
}

}  // namespace lk::test
