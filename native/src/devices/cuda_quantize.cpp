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
struct Scratch {
    Scratch(Carver& carver, const lk_weight_tensors& tensors, int64_t groups) {
        codes = carver.take<uint8_t>(tensors.codes.size);
        absmax = carver.take<float>(groups);
        map = carver.take<float>(256);
        scale_codes = carver.take<uint8_t>(groups);
        outer_scales = carver.take<float>(tensors.outer_scales.size / int64_t(sizeof(float)));
        offset = carver.take<float>(1);
    }

    uint8_t* codes;
    float* absmax;
    float* map;
    uint8_t* scale_codes;
    float* outer_scales;
    float* offset;
};

}  // namespace

void CudaBackend::fail_for_group(const lk_matrix& w, int64_t first, int64_t count) {
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
    fail(LK_INTERNAL, "w: the group of elements from %lld on was found not finite, but each is",
         static_cast<long long>(first));
}

void CudaBackend::quantize(const lk_matrix& w, lk_weight_tensors& tensors) {
    const CurrentContext current(device_);
    refuse_while_recording("quantizing a weight");
    const int64_t weights = w.rows * w.columns;
    if (weights == 0) return cpu::write_scales({}, tensors);
    const int64_t groups = divide_up(weights, tensors.group_size);
    Carver measure(nullptr);
    (void)Scratch(measure, tensors, groups);
    const Block memory(allocator_, measure.used(), Workspace::kAlignment, "quantization");
    Carver carver(static_cast<char*>(memory.data()));
    const Scratch scratch(carver, tensors, groups);

    quantize_groups(stream_, w, tensors.group_size, scratch.codes, scratch.absmax);
    std::vector<float> absmax(static_cast<size_t>(groups));
    download(absmax.data(), scratch.absmax, groups * int64_t(sizeof(float)));
    download(tensors.codes.data, scratch.codes, tensors.codes.size);
    stream_.synchronize();
    for (int64_t group = 0; group < groups; ++group) {
        if (std::isfinite(absmax[size_t(group)])) continue;
        const int64_t first = group * tensors.group_size;
        fail_for_group(w, first, std::min(tensors.group_size, weights - first));
    }
    if (tensors.outer_group_size == 0) return cpu::write_scales(absmax, tensors);

    static const std::array<float, 256> map = nf4::dynamic_map();
    std::memcpy(tensors.outer_table.data, map.data(), sizeof map);
    upload(scratch.map, map.data(), sizeof map);
    quantize_scales(stream_, scratch.absmax, groups, tensors.outer_group_size,
                    {scratch.map, scratch.scale_codes, scratch.outer_scales, scratch.offset});
    download(tensors.scales.data, scratch.scale_codes, tensors.scales.size);
    download(tensors.outer_scales.data, scratch.outer_scales, tensors.outer_scales.size);
    download(&tensors.outer_offset, scratch.offset, sizeof tensors.outer_offset);
    stream_.synchronize();
}

}  // namespace lk::cuda
