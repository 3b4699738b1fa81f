#include "packing/cuda/pack.h"

#include <cstring>
#include <vector>

#include "core/error.h"
#include "core/workspace.h"
#include "formats/group_index.h"
#include "packing/cuda/pack_kernels.h"
#include "packing/pack.h"
#include "platform/cuda/status.h"

namespace lk::cuda {
namespace {

FragmentArrays arrays_of(const lk_weight& weight) {
    return {.codes = reinterpret_cast<uint32_t*>(weight.codes()),
            .scales = weight.scales(),
            .zero_points = reinterpret_cast<uint16_t*>(weight.zero_points()),
            .order = weight.order(),
            .arrangement = arrangement_of(weight.codec.value_kind),
            .unit_part_bytes = int(weight.codec.unit_part_bytes()),
            .has_zero_units = weight.codec.has_zero_units(),
            .layout = fragment_layout(weight.tensors, weight.codec)};
}

// Device memory for those of a checkpoint's tensors that kernels read or write.
class RawMemory {
  public:
    RawMemory(const lk_allocator& allocator, const lk_weight& weight)
        : storage_(weight.format->storage(weight.tensors)) {
        Carver measure(nullptr);
        lay_out(measure, weight.tensors);
        memory_ = Block(allocator, measure.used(), Workspace::kAlignment, "a checkpoint's tensors");
        Carver carver(static_cast<char*>(memory_.data()));
        lay_out(carver, weight.tensors);
    }

    RawTensors tensors() const {
        return {.codes = codes_,
                .units = storage_.units.among_codes ? codes_ : scales_,
                .zero_points = zero_points_,
                .storage = storage_};
    }
    // Of the act-order: position[k of the checkpoint] = packed k.
    int32_t* position() const { return position_; }

    // Calls f(bytes of the host, device memory) for each of them.
    template <class F>
    void for_each(const lk_weight_tensors& host, const F& f) const {
        f(host.codes, codes_);
        f(host.scales, scales_);
        f(host.zero_points, zero_points_);
    }

  private:
    void lay_out(Carver& carver, const lk_weight_tensors& tensors) {
        codes_ = carver.take<uint8_t>(tensors.codes.size);
        scales_ = carver.take<uint8_t>(tensors.scales.size);
        zero_points_ = carver.take<uint8_t>(tensors.zero_points.size);
        position_ = carver.take<int32_t>(tensors.group_index.size / int64_t(sizeof(int32_t)));
    }

    Storage storage_;
    Block memory_;
    uint8_t* codes_ = nullptr;
    uint8_t* scales_ = nullptr;
    uint8_t* zero_points_ = nullptr;
    int32_t* position_ = nullptr;
};

void download(const Stream& stream, void* destination, const void* source, int64_t bytes) {
    if (bytes == 0) return;
    check(cudaMemcpyAsync(destination, source, size_t(bytes), cudaMemcpyDeviceToHost, stream.handle()),
          "cudaMemcpyAsync (from the device)");
}

int64_t bytes_of(const std::vector<int32_t>& values) {
    return int64_t(values.size() * sizeof(int32_t));
}

}  // namespace

void pack(const Stream& stream, Uploader& uploader, const lk_allocator& allocator, const lk_weight_tensors& tensors,
          lk_weight& weight) {
    describe(tensors, weight);
    if (weight.codec.is_raw()) {
        allocate(allocator, {.codes = tensors.codes.size}, weight);
        uploader.upload(stream, weight.codes(), tensors.codes.data, tensors.codes.size);
        return stream.synchronize();
    }
    const FragmentLayout layout = fragment_layout(tensors, weight.codec);
    if (layout.scale_count() > UINT32_MAX) {
        fail(LK_UNSUPPORTED, "tensors: %lld groups; on a GPU a weight has less than 2^32",
             static_cast<long long>(layout.scale_count()));
    }
    allocate(allocator,
             {.codes = layout.codes_bytes(),
              .scales = layout.scale_count() * weight.codec.unit_bytes(),
              .zero_points = layout.zero_points_bytes()},
             weight);
    const RawMemory raw(allocator, weight);
    raw.for_each(tensors,
                 [&](const lk_bytes& host, void* memory) { uploader.upload(stream, memory, host.data, host.size); });
    std::vector<int32_t> order;
    if (!weight.in_order) {
        order.resize(size_t(tensors.in_features));
        formats::read_order(tensors, order.data());
        uploader.upload(stream, weight.order_memory.data(), order.data(), bytes_of(order));
    }
    if (weight.codec.scale_kind == ScaleKind::nested) {
        uploader.upload(stream, weight.outer_table(), tensors.outer_table.data, tensors.outer_table.size);
        uploader.upload(stream, weight.outer_scales(), tensors.outer_scales.data, tensors.outer_scales.size);
    }
    pack_tensors(stream, raw.tensors(), arrays_of(weight));
    stream.synchronize();
}

void unpack(const Stream& stream, Uploader& uploader, const lk_allocator& allocator, const lk_weight& weight,
            const lk_weight_tensors& out) {
    if (weight.codec.is_raw()) {
        download(stream, out.codes.data, weight.codes(), out.codes.size);
        return stream.synchronize();
    }
    const RawMemory raw(allocator, weight);
    std::vector<int32_t> order, position;
    if (!weight.in_order) {
        order.resize(size_t(out.in_features));
        position.resize(order.size());
        download(stream, order.data(), weight.order(), bytes_of(order));
        stream.synchronize();
        for (size_t k = 0; k < order.size(); ++k) position[size_t(order[k])] = int32_t(k);
        uploader.upload(stream, raw.position(), position.data(), bytes_of(position));
    }
    unpack_tensors(stream, arrays_of(weight), weight.in_order ? nullptr : raw.position(), raw.tensors());
    raw.for_each(out,
                 [&](const lk_bytes& host, const void* memory) { download(stream, host.data, memory, host.size); });
    if (weight.codec.scale_kind == ScaleKind::nested) {
        download(stream, out.outer_table.data, weight.outer_table(), out.outer_table.size);
        download(stream, out.outer_scales.data, weight.outer_scales(), out.outer_scales.size);
    }
    stream.synchronize();
    if (out.table.size != 0) std::memcpy(out.table.data, weight.codec.values, size_t(out.table.size));
    if (out.group_index.size != 0) formats::write_group_index(out, weight.in_order ? nullptr : order.data());
    write_padding(*weight.format, out, weight.padding);
}

}  // namespace lk::cuda
