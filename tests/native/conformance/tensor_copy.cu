// Tensor copies: boxes inside, across and outside the edges, in two and three dimensions, with every swizzle.
#include "conformance/checks.h"
#include "conformance/swizzle.h"
#include "platform/cuda/barrier.cuh"
#include "platform/cuda/fence.cuh"
#include "platform/cuda/mbarrier.cuh"
#include "platform/cuda/tensor_copy.cuh"
#include "platform/cuda/tensor_map.h"
#include "platform/cuda/warp.cuh"

namespace lk::conformance {
namespace {

using namespace cuda;

constexpr int threads = 64;

// Loads one box, with or without a hint, and writes out shared memory as it then is.
__global__ void load_kernel(const __grid_constant__ TensorMap map, int dimensions, bool hinted, int c0, int c1, int c2,
                            uint32_t bytes, uint16_t* results) {
#if LK_HAS_BULK_COPY
    LK_DYNAMIC_SHARED(uint16_t, shared);
    LK_SHARED(uint64_t, full);
    if (threadIdx.x == 0) {
        tensor_map_prefetch(&map);
        mbarrier_init(&full, 1);
        fence_mbarrier_init();
    }
    block_sync();
    if (threadIdx.x < 32 && elect_one()) {
        mbarrier_arrive_expect_tx(&full, bytes);
        if (dimensions == 2) {
            if (hinted) {
                tensor_load_2d(shared, &map, &full, c0, c1, evict_last());
            } else {
                tensor_load_2d(shared, &map, &full, c0, c1);
            }
        } else {
            if (hinted) {
                tensor_load_3d(shared, &map, &full, c0, c1, c2, evict_first());
            } else {
                tensor_load_3d(shared, &map, &full, c0, c1, c2);
            }
        }
    }
    mbarrier_wait(&full, 0);
    for (uint32_t i = threadIdx.x; i < bytes / 2; i += threads) results[i] = shared[i];
#else
    unsupported_architecture();
#endif
}

// Writes shared memory as given, and stores one box from it.
__global__ void store_kernel(const __grid_constant__ TensorMap map, int c0, int c1, uint32_t bytes,
                             const uint16_t* contents) {
#if LK_HAS_BULK_COPY
    LK_DYNAMIC_SHARED(uint16_t, shared);
    for (uint32_t i = threadIdx.x; i < bytes / 2; i += threads) shared[i] = contents[i];
    fence_proxy_async_shared();
    block_sync();
    if (threadIdx.x < 32 && elect_one()) {
        tensor_store_2d(&map, shared, c0, c1);
        bulk_commit();
        bulk_wait<0>();
    }
#else
    unsupported_architecture();
#endif
}

struct Mode {
    CUtensorMapSwizzle swizzle;
    int span;  // bytes of a box's row
};

constexpr Mode modes[] = {
    {CU_TENSOR_MAP_SWIZZLE_NONE, 48},
    {CU_TENSOR_MAP_SWIZZLE_32B, 32},
    {CU_TENSOR_MAP_SWIZZLE_64B, 64},
    {CU_TENSOR_MAP_SWIZZLE_128B, 128},
};

int swizzle_bits(CUtensorMapSwizzle swizzle) {
    switch (swizzle) {
        case CU_TENSOR_MAP_SWIZZLE_32B:
            return 1;
        case CU_TENSOR_MAP_SWIZZLE_64B:
            return 2;
        case CU_TENSOR_MAP_SWIZZLE_128B:
            return 3;
        default:
            return 0;
    }
}

// A tensor of 16-bit elements, each its own number, with rows and slices that lie apart.
struct Tensor {
    int columns, rows, slices, row_elements, slice_elements;
    std::vector<uint16_t> elements;

    Tensor(int columns, int rows, int slices)
        : columns(columns),
          rows(rows),
          slices(slices),
          row_elements((columns + 7) / 8 * 8 + 8),
          slice_elements(row_elements * rows + 16),
          elements(static_cast<size_t>(slice_elements) * static_cast<size_t>(slices)) {
        for (size_t i = 0; i < elements.size(); ++i) elements[i] = static_cast<uint16_t>(i % 65521 + 1);
    }

    bool holds(int column, int row, int slice) const {
        return column >= 0 && column < columns && row >= 0 && row < rows && slice >= 0 && slice < slices;
    }
    size_t index(int column, int row, int slice) const {
        return static_cast<size_t>(slice * slice_elements + row * row_elements + column);
    }

    TensorMap map(const void* data, const Mode& mode, int box_columns, int box_rows, int box_slices) const {
        TensorLayout layout;
        layout.data = data;
        layout.type = CU_TENSOR_MAP_DATA_TYPE_UINT16;
        layout.columns = static_cast<uint64_t>(columns);
        layout.rows = static_cast<uint64_t>(rows);
        layout.slices = static_cast<uint64_t>(slices);
        layout.row_bytes = static_cast<uint64_t>(row_elements) * 2;
        layout.slice_bytes = static_cast<uint64_t>(slice_elements) * 2;
        layout.box_columns = static_cast<uint32_t>(box_columns);
        layout.box_rows = static_cast<uint32_t>(box_rows);
        layout.box_slices = static_cast<uint32_t>(box_slices);
        layout.swizzle = mode.swizzle;
        return make_tensor_map(layout);
    }
};

void check_load(Bench& bench, const Mode& mode, const Tensor& tensor, int box_rows, int box_slices, int c0, int c1,
                int c2, bool hinted) {
    const int box_columns = mode.span / 2;
    const int box = box_columns * box_rows * box_slices;
    std::vector<uint16_t> expected(static_cast<size_t>(box));
    for (int i = 0; i < box; ++i) {
        const int column = c0 + i % box_columns;
        const int row = c1 + i / box_columns % box_rows;
        const int slice = c2 + i / box_columns / box_rows;
        if (!tensor.holds(column, row, slice)) continue;
        expected[swizzled(static_cast<size_t>(i) * 2, swizzle_bits(mode.swizzle)) / 2] =
            tensor.elements[tensor.index(column, row, slice)];
    }
    const auto elements = bench.copy(tensor.elements);
    const auto results = bench.zeros<uint16_t>(expected.size());
    const auto bytes = static_cast<uint32_t>(box * 2);
    bench.launch({.threads = threads, .shared_bytes = bytes}, load_kernel,
                 tensor.map(elements.data(), mode, box_columns, box_rows, box_slices), tensor.slices == 1 ? 2 : 3,
                 hinted, c0, c1, c2, bytes, results.data());
    expect_equal("box", results.read(), expected);
}

template <int Index>
void check_load_2d(Bench& bench) {
    const Tensor tensor(100, 37, 1);
    constexpr int rows = 16;
    bool hinted = false;
    for (const int c0 : {0, 8, 61, 90, -5, 100, -200}) {
        for (const int c1 : {0, 3, 30, -7, 37}) {
            check_load(bench, modes[Index], tensor, rows, 1, c0, c1, 0, hinted);
            hinted = !hinted;
        }
    }
}

template <int Index>
void check_load_3d(Bench& bench) {
    const Tensor tensor(72, 19, 5);
    bool hinted = false;
    for (const int c0 : {0, 50, -3}) {
        for (const int c1 : {0, 14, -2}) {
            for (const int c2 : {0, 3, -1}) {
                check_load(bench, modes[Index], tensor, 8, 3, c0, c1, c2, hinted);
                hinted = !hinted;
            }
        }
    }
}

template <int Index>
void check_store_2d(Bench& bench) {
    const Mode& mode = modes[Index];
    const Tensor tensor(100, 37, 1);
    const int box_columns = mode.span / 2;
    constexpr int box_rows = 16;
    const int box = box_columns * box_rows;
    for (const int c0 : {0, 61, 90, -5}) {
        for (const int c1 : {0, 30, -7}) {
            const auto contents = random_values<uint16_t>(bench, static_cast<size_t>(box), 0, 65535);
            auto expected = tensor.elements;
            for (int i = 0; i < box; ++i) {
                const int column = c0 + i % box_columns;
                const int row = c1 + i / box_columns;
                if (!tensor.holds(column, row, 0)) continue;
                expected[tensor.index(column, row, 0)] =
                    contents[swizzled(static_cast<size_t>(i) * 2, swizzle_bits(mode.swizzle)) / 2];
            }
            const auto elements = bench.copy(tensor.elements);
            const auto device_contents = bench.copy(contents);
            const auto bytes = static_cast<uint32_t>(box * 2);
            bench.launch({.threads = threads, .shared_bytes = bytes}, store_kernel,
                         tensor.map(elements.data(), mode, box_columns, box_rows, 1), c0, c1, bytes,
                         device_contents.data());
            expect_equal("tensor", elements.read(), expected);
        }
    }
}

}  // namespace

std::vector<Check> tensor_copy_checks() {
    return {
        {"tensor load 2-D", 90, check_load_2d<0>},
        {"tensor load 2-D, 32-byte swizzle", 90, check_load_2d<1>},
        {"tensor load 2-D, 64-byte swizzle", 90, check_load_2d<2>},
        {"tensor load 2-D, 128-byte swizzle", 90, check_load_2d<3>},
        {"tensor load 3-D", 90, check_load_3d<0>},
        {"tensor load 3-D, 32-byte swizzle", 90, check_load_3d<1>},
        {"tensor load 3-D, 64-byte swizzle", 90, check_load_3d<2>},
        {"tensor load 3-D, 128-byte swizzle", 90, check_load_3d<3>},
        {"tensor store 2-D", 90, check_store_2d<0>},
        {"tensor store 2-D, 32-byte swizzle", 90, check_store_2d<1>},
        {"tensor store 2-D, 64-byte swizzle", 90, check_store_2d<2>},
        {"tensor store 2-D, 128-byte swizzle", 90, check_store_2d<3>},
    };
}

}  // namespace lk::conformance
