// One thread writes what lies together in the destination: a lane's 16 bytes, a unit of scales, a lane's zero points;
// or the checkpoint's byte, unit, word.
#include "matmul/cuda/grid_size.h"
#include "packing/cuda/pack_kernels.h"
#include "platform/cuda/launch.h"
#include "platform/cuda/target.h"

namespace lk::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kLaneRows = FragmentLayout::kLaneRows;
constexpr int kWordRows = 8;  // of zero points in a checkpoint

// Calls visit(i) for this thread's share of [0, count).
template <class Visit>
__device__ __forceinline__ void for_each(int64_t count, const Visit& visit) {
    const int64_t step = int64_t(gridDim.x) * kThreads;
    for (int64_t i = int64_t(blockIdx.x) * kThreads + threadIdx.x; i < count; i += step) visit(i);
}

__device__ __forceinline__ void copy_unit(const uint8_t* from, int bytes, uint8_t* to) {
    for (int b = 0; b < bytes; ++b) to[b] = from == nullptr ? 0 : from[b];
}

__global__ void __launch_bounds__(kThreads)
    pack_codes_kernel(const __grid_constant__ RawTensors raw, const __grid_constant__ FragmentArrays packed) {
    const FragmentLayout& layout = packed.layout;
    const int64_t lanes_of_panel = layout.blocks() * 32;
    for_each(layout.panels() * lanes_of_panel, [&](int64_t i) {
        const int64_t panel = i / lanes_of_panel;
        const int64_t first_row = panel * FragmentLayout::kRows + i % 32 / 4;
        const int64_t first_k = i % lanes_of_panel / 32 * FragmentLayout::kBlockDepth + i % 4 * 8;
        uint32_t words[4] = {};
#pragma unroll
        for (int j = 0; j < 8; ++j) {
            const int64_t k = first_k + j;
            if (k >= layout.in_features) continue;
            const int64_t k_of_checkpoint = packed.order == nullptr ? k : packed.order[k];
#pragma unroll
            for (int quarter = 0; quarter < kLaneRows; ++quarter) {
                const int64_t row = first_row + 8 * quarter;
                if (row >= layout.out_features) continue;
                const NibblePlace source = raw.code_storage.place(row, k_of_checkpoint);
                const uint32_t code = raw.codes[source.byte] >> source.shift & 15;
                const int slot = FragmentLayout::place_in_panel(8 * quarter, j).slot;
                words[quarter / 2 * 2 + j / 4] |= place_code(packed.arrangement, code, slot);
            }
        }
        reinterpret_cast<uint4*>(packed.codes)[i] = {words[0], words[1], words[2], words[3]};
    });
}

__global__ void __launch_bounds__(kThreads)
    pack_units_kernel(const __grid_constant__ RawTensors raw, const __grid_constant__ FragmentArrays packed) {
    const FragmentLayout& layout = packed.layout;
    for_each(layout.scale_count(), [&](int64_t i) {
        int64_t index = i;
        bool present = true;
        if (layout.rows_begin_groups) {  // i counts row by row
            const int64_t row = i / layout.groups_per_row();
            index = layout.scale_index(row, i % layout.groups_per_row());
            present = row < layout.out_features;
        }
        copy_unit(present ? raw.units + i * raw.unit_stride : nullptr, packed.unit_bytes,
                  packed.scales + index * packed.unit_bytes);
    });
}

__global__ void __launch_bounds__(kThreads)
    pack_zero_points_kernel(const __grid_constant__ RawTensors raw, const __grid_constant__ FragmentArrays packed) {
    const FragmentLayout& layout = packed.layout;
    const int64_t groups = layout.groups_per_row();
    for_each(layout.panels() * kWordRows * groups, [&](int64_t i) {
        const int64_t panel = i / (kWordRows * groups);
        const int64_t group = i % groups;
        const int lane_row = int(i / groups % kWordRows);
        uint32_t zeros = 0;
#pragma unroll
        for (int quarter = 0; quarter < kLaneRows; ++quarter) {
            const int64_t row = panel * FragmentLayout::kRows + 8 * quarter + lane_row;
            if (row >= layout.out_features) continue;
            const uint32_t word = raw.zero_points[row / kWordRows * groups + group];
            zeros |= (word >> (4 * lane_row) & 15) << (4 * quarter);
        }
        packed.zero_points[layout.lane_scales(panel, lane_row, group) / kLaneRows] = static_cast<uint16_t>(zeros);
    });
}

__global__ void __launch_bounds__(kThreads)
    unpack_codes_kernel(const __grid_constant__ FragmentArrays packed, const int32_t* position,
                        const __grid_constant__ RawTensors raw) {
    const FragmentLayout& layout = packed.layout;
    const CodeStorage& storage = raw.code_storage;
    const int64_t weights = layout.out_features * storage.row_weights;
    const int64_t block_bytes = storage.code_bytes_per_block();
    const int64_t bytes = divide_up(weights, block_bytes * 2) * block_bytes;
    for_each(bytes, [&](int64_t i) {
        uint32_t byte = 0;
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const int64_t index = storage.first_weight(i) + (half << storage.half_shift);
            const int64_t row = index / storage.row_weights;
            const int64_t k = index % storage.row_weights;
            if (row >= layout.out_features || k >= layout.in_features) continue;
            const CodePlace place = layout.place(row, position == nullptr ? k : position[k]);
            const uint32_t code = code_at(packed.arrangement, packed.codes[place.word], place.slot);
            byte |= code << ((half == 1) != storage.high_first ? 4 : 0);
        }
        raw.codes[i / block_bytes * storage.block_bytes + storage.codes_offset + i % block_bytes] =
            static_cast<uint8_t>(byte);
    });
}

__global__ void __launch_bounds__(kThreads)
    unpack_units_kernel(const __grid_constant__ FragmentArrays packed, const __grid_constant__ RawTensors raw) {
    const FragmentLayout& layout = packed.layout;
    const int64_t units =
        layout.rows_begin_groups ? layout.out_features * layout.groups_per_row() : layout.scale_count();
    for_each(units, [&](int64_t i) {
        int64_t index = i;
        if (layout.rows_begin_groups) {
            index = layout.scale_index(i / layout.groups_per_row(), i % layout.groups_per_row());
        }
        copy_unit(packed.scales + index * packed.unit_bytes, packed.unit_bytes, raw.units + i * raw.unit_stride);
    });
}

__global__ void __launch_bounds__(kThreads)
    unpack_zero_points_kernel(const __grid_constant__ FragmentArrays packed, const __grid_constant__ RawTensors raw) {
    const FragmentLayout& layout = packed.layout;
    const int64_t groups = layout.groups_per_row();
    for_each(divide_up(layout.out_features, kWordRows) * groups, [&](int64_t i) {
        const int64_t first_row = i / groups * kWordRows;
        uint32_t word = 0;
#pragma unroll
        for (int r = 0; r < kWordRows; ++r) {
            const int64_t index = layout.scale_index(first_row + r, i % groups);
            word |= (uint32_t(packed.zero_points[index / kLaneRows]) >> (index % kLaneRows * 4) & 15) << (4 * r);
        }
        raw.zero_points[i] = word;
    });
}

LaunchConfig for_items(const Stream& stream, int64_t items) {
    return {.grid = grid_size(divide_up(items, kThreads)), .block = kThreads, .stream = stream.handle()};
}

}  // namespace

void pack_tensors(const Stream& stream, const RawTensors& raw, const FragmentArrays& packed) {
    const FragmentLayout& layout = packed.layout;
    launch(pack_codes_kernel, for_items(stream, layout.codes_bytes() / int64_t(sizeof(uint4))), raw, packed);
    launch(pack_units_kernel, for_items(stream, layout.scale_count()), raw, packed);
    if (packed.zero_points == nullptr) return;
    launch(pack_zero_points_kernel, for_items(stream, layout.scale_count() / kLaneRows), raw, packed);
}

void unpack_tensors(const Stream& stream, const FragmentArrays& packed, const int32_t* position,
                    const RawTensors& raw) {
    const FragmentLayout& layout = packed.layout;
    launch(unpack_codes_kernel, for_items(stream, layout.out_features * raw.code_storage.row_weights / 2), packed,
           position, raw);
    launch(unpack_units_kernel, for_items(stream, layout.scale_count()), packed, raw);
    if (packed.zero_points == nullptr) return;
    launch(unpack_zero_points_kernel, for_items(stream, layout.scale_count() / kWordRows), packed, raw);
}

}  // namespace lk::cuda
