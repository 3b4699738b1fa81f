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
constexpr int kLanesOfRows = 8;

// Calls visit(i) for this thread's share of [0, count).
template <class Visit>
__device__ __forceinline__ void for_each(int64_t count, const Visit& visit) {
    const int64_t step = int64_t(gridDim.x) * kThreads;
    for (int64_t i = int64_t(blockIdx.x) * kThreads + threadIdx.x; i < count; i += step) visit(i);
}

// What lies in a matrix of the checkpoint.
__device__ __forceinline__ uint32_t nibble_at(const uint8_t* bytes, const NibbleStorage& storage, int64_t row,
                                              int64_t column) {
    const NibblePlace place = storage.place(row, column);
    return bytes[place.byte] >> place.shift & 15;
}

// Writes all of a matrix of the checkpoint; get(row, column) is what lies there. Padding becomes 0.
template <class Get>
__device__ __forceinline__ void write_nibbles(const NibbleStorage& storage, int64_t rows, int64_t columns,
                                              uint8_t* bytes, const Get& get) {
    for_each(storage.byte_count(), [&](int64_t i) {
        uint32_t byte = 0;
#pragma unroll
        for (int high = 0; high < 2; ++high) {
            const NibbleIndex index = storage.at(i, high == 1);
            if (index.row >= rows || index.column >= columns) continue;
            byte |= get(index.row, index.column) << (4 * high);
        }
        bytes[storage.byte_offset(i)] = static_cast<uint8_t>(byte);
    });
}

// Visits the parts of a unit, given by its number in the checkpoint: visit(part of the raw one, first byte in the
// packed one).
template <class Visit>
__device__ __forceinline__ void for_each_part(const RawTensors& raw, const FragmentArrays& packed, int64_t unit,
                                              const Visit& visit) {
    const int64_t offset = raw.storage.units.offset(unit, packed.unit_part_bytes);
    visit(raw.units + offset, 0);
    if (packed.has_zero_units) visit(raw.zero_points + offset, packed.unit_part_bytes);
}

__device__ __forceinline__ int unit_bytes(const FragmentArrays& packed) {
    return packed.unit_part_bytes * (packed.has_zero_units ? 2 : 1);
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
                const uint32_t code = nibble_at(raw.codes, raw.storage.codes, row, k_of_checkpoint);
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
        uint8_t* const to = packed.scales + index * unit_bytes(packed);
        if (!present) {
            for (int b = 0; b < unit_bytes(packed); ++b) to[b] = 0;
            return;
        }
        for_each_part(raw, packed, i, [&](const uint8_t* from, int first) {
            for (int b = 0; b < packed.unit_part_bytes; ++b) to[first + b] = from[b];
        });
    });
}

__global__ void __launch_bounds__(kThreads)
    pack_zero_points_kernel(const __grid_constant__ RawTensors raw, const __grid_constant__ FragmentArrays packed) {
    const FragmentLayout& layout = packed.layout;
    const int64_t groups = layout.groups_per_row();
    for_each(layout.panels() * kLanesOfRows * groups, [&](int64_t i) {
        const int64_t panel = i / (kLanesOfRows * groups);
        const int64_t group = i % groups;
        const int lane_row = int(i / groups % kLanesOfRows);
        uint32_t zeros = 0;
#pragma unroll
        for (int quarter = 0; quarter < kLaneRows; ++quarter) {
            const int64_t row = panel * FragmentLayout::kRows + 8 * quarter + lane_row;
            if (row >= layout.out_features) continue;
            zeros |= nibble_at(raw.zero_points, raw.storage.zero_points, row, group) << (4 * quarter);
        }
        packed.zero_points[layout.lane_scales(panel, lane_row, group) / kLaneRows] = static_cast<uint16_t>(zeros);
    });
}

__global__ void __launch_bounds__(kThreads)
    unpack_codes_kernel(const __grid_constant__ FragmentArrays packed, const int32_t* position,
                        const __grid_constant__ RawTensors raw) {
    const FragmentLayout& layout = packed.layout;
    write_nibbles(raw.storage.codes, layout.out_features, layout.in_features, raw.codes, [&](int64_t row, int64_t k) {
        const CodePlace place = layout.place(row, position == nullptr ? k : position[k]);
        return code_at(packed.arrangement, packed.codes[place.word], place.slot);
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
        const uint8_t* const from = packed.scales + index * unit_bytes(packed);
        for_each_part(raw, packed, i, [&](uint8_t* to, int first) {
            for (int b = 0; b < packed.unit_part_bytes; ++b) to[b] = from[first + b];
        });
    });
}

__global__ void __launch_bounds__(kThreads)
    unpack_zero_points_kernel(const __grid_constant__ FragmentArrays packed, const __grid_constant__ RawTensors raw) {
    const FragmentLayout& layout = packed.layout;
    write_nibbles(raw.storage.zero_points, layout.out_features, layout.groups_per_row(), raw.zero_points,
                  [&](int64_t row, int64_t group) {
                      const int64_t index = layout.scale_index(row, group);
                      return uint32_t(packed.zero_points[index / kLaneRows]) >> (index % kLaneRows * 4) & 15;
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
    launch(unpack_codes_kernel, for_items(stream, raw.storage.codes.byte_count()), packed, position, raw);
    launch(unpack_units_kernel, for_items(stream, layout.scale_count()), packed, raw);
    if (packed.zero_points == nullptr) return;
    launch(unpack_zero_points_kernel, for_items(stream, raw.storage.zero_points.byte_count()), packed, raw);
}

}  // namespace lk::cuda
