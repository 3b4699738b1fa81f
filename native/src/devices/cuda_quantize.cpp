// Quantization on a CUDA device, to a checkpoint's tensors on the host.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "core/matrix.h"
#include "devices/cuda_backend.h"
#include "formats/dynamic_map.h"
#include "quantize/cuda/quantize.h"
#include "quantize/quantize.h"

namespace lk::cuda {
namespace {

// What the kernels write, in one block of device memory.
class Scratch {
  public:
    // lay_out(carver) takes what is needed from it.
    template <class LayOut>
    Scratch(const lk_allocator& allocator, const LayOut& lay_out) {
        Carver measure(nullptr);
        lay_out(measure);
        memory_ = Block(allocator, measure.used(), Workspace::kAlignment, "quantization");
        Carver carver(static_cast<char*>(memory_.data()));
        lay_out(carver);
    }

  private:
    Block memory_;
};

}  // namespace

void CudaBackend::check_group(const lk_matrix& w, int64_t first, int64_t count) {
    const int64_t size = size_of(w.dtype);
    std::vector<char> elements(static_cast<size_t>(count * size));
    for (int64_t done = 0; done < count;) {
        const int64_t row = (first + done) / w.columns;
        const int64_t column = (first + done) % w.columns;
        const int64_t run = std::min(count - done, w.columns - column);
        download(elements.data() + done * size, static_cast<const char*>(w.data) + (row * w.row_stride + column) * size,
                 run * size);
        done += run;
    }
    stream_.synchronize();
    const lk_matrix group{elements.data(), 1, count, count, w.dtype, 0};
    for (int64_t i = 0; i < count; ++i) {
        const float value = read(group, 0, i);
        if (!std::isfinite(value)) cpu::fail_not_finite(w, first + i, value);
    }
}

void CudaBackend::quantize_bitsandbytes(const lk_matrix& w, lk_weight_tensors& tensors) {
    const int64_t weights = w.rows * w.columns;
    const int64_t groups = divide_up(weights, tensors.group_size);
    uint8_t *codes, *scale_codes;
    float *absmax, *map, *outer_scales, *offset;
    const Scratch scratch(allocator_, [&](Carver& carver) {
        codes = carver.take<uint8_t>(tensors.codes.size);
        absmax = carver.take<float>(groups);
        map = carver.take<float>(256);
        scale_codes = carver.take<uint8_t>(groups);
        outer_scales = carver.take<float>(tensors.outer_scales.size / int64_t(sizeof(float)));
        offset = carver.take<float>(1);
    });

    quantize_groups(stream_, w, tensors.format, tensors.group_size, codes, absmax);
    std::vector<float> host_absmax(static_cast<size_t>(groups));
    download(host_absmax.data(), absmax, groups * int64_t(sizeof(float)));
    download(tensors.codes.data, codes, tensors.codes.size);
    stream_.synchronize();
    for (int64_t group = 0; group < groups; ++group) {
        if (std::isfinite(host_absmax[size_t(group)])) continue;
        const int64_t first = group * tensors.group_size;
        check_group(w, first, std::min(tensors.group_size, weights - first));
        fail(LK_INTERNAL, "w: group %lld was found not finite, but its elements are", static_cast<long long>(group));
    }
    if (tensors.outer_group_size == 0) return cpu::write_scales(host_absmax, tensors);

    static const std::array<float, 256> host_map = nf4::dynamic_map();
    std::memcpy(tensors.outer_table.data, host_map.data(), sizeof host_map);
    upload(map, host_map.data(), sizeof host_map);
    quantize_scales(stream_, absmax, groups, tensors.outer_group_size, {map, scale_codes, outer_scales, offset});
    download(tensors.scales.data, scale_codes, tensors.scales.size);
    download(tensors.outer_scales.data, outer_scales, tensors.outer_scales.size);
    download(&tensors.outer_offset, offset, sizeof tensors.outer_offset);
    stream_.synchronize();
}

void CudaBackend::quantize_int4(const lk_matrix& w, lk_weight_tensors& tensors) {
    const int64_t row_groups = divide_up(w.columns, tensors.group_size);
    const int64_t groups = w.rows * row_groups;
    const bool symmetric = tensors.zero_points.size == 0;
    Int4Tensors out{.scale_dtype = tensors.scale_dtype};
    const Scratch scratch(allocator_, [&](Carver& carver) {
        out.codes = carver.take<uint32_t>(tensors.codes.size / int64_t(sizeof(uint32_t)));
        out.scales = carver.take<char>(tensors.scales.size);
        if (!symmetric) out.zeros = carver.take<uint8_t>(groups);
    });

    cuda::quantize_int4(stream_, w, tensors.group_size, out);
    std::vector<uint8_t> zeros(static_cast<size_t>(symmetric ? 0 : groups));
    download(tensors.codes.data, out.codes, tensors.codes.size);
    download(tensors.scales.data, out.scales, tensors.scales.size);
    download(zeros.data(), out.zeros, int64_t(zeros.size()));
    stream_.synchronize();
    const lk_matrix scales{tensors.scales.data, 1, groups, groups, tensors.scale_dtype, 0};
    int64_t beyond = -1;
    for (int64_t group = 0; group < groups; ++group) {
        if (std::isfinite(read(scales, 0, group))) continue;
        const int64_t column = group % row_groups * tensors.group_size;
        check_group(w, group / row_groups * w.columns + column, std::min(tensors.group_size, w.columns - column));
        if (beyond < 0) beyond = group;
    }
    if (beyond >= 0) cpu::fail_scale(tensors, beyond);
    cpu::write_zero_points(zeros, tensors);
}

void CudaBackend::quantize(const lk_matrix& w, lk_weight_tensors& tensors) {
    const CurrentContext current(device_);
    refuse_while_recording("quantizing a weight");
    const bool integers = tensors.format == LK_FORMAT_INT4_PACKED;
    if (w.rows * w.columns == 0) {
        if (!integers) cpu::write_scales({}, tensors);
    } else if (integers) {
        quantize_int4(w, tensors);
    } else {
        quantize_bitsandbytes(w, tensors);
    }
}

}  // namespace lk::cuda
