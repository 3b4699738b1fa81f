#include "breaks/samples.h"
#include "breaks/tensor_pipeline.cuh"

namespace lk::breaks {
namespace {

// A row-major matrix of elements of this size.
emulated::TensorMap map_of(void* data, uint32_t element_bytes, int rows, int columns, uint32_t box_columns,
                           uint32_t box_rows, uint32_t swizzle_bytes) {
    emulated::TensorMap map{};
    map.data = data;
    map.rank = 2;
    map.element_bytes = element_bytes;
    map.extents[0] = static_cast<uint64_t>(columns);
    map.extents[1] = static_cast<uint64_t>(rows);
    map.strides[0] = element_bytes;
    map.strides[1] = static_cast<uint64_t>(columns) * element_bytes;
    map.box[0] = box_columns;
    map.box[1] = box_rows;
    map.swizzle_bytes = swizzle_bytes;
    map.context = context;
    return map;
}

template <Bug bug>
Outcome run_tensor_pipeline(const emulated::Options& options) {
    constexpr int m = 200, n = 72, k = 328;
    using tensor_pipeline::tile, tensor_pipeline::tile_m;
    static const Matrix a_values(m, k, 3), b_values(n, k, 4);
    static const std::vector<float> expected = product(a_values, b_values);
    const DeviceArray<uint16_t> a(a_values.halves), b(b_values.halves);
    const DeviceArray<float> c(size_t(m * n));
    Outcome outcome;
    run(outcome, options,
        {.grid = {(n + tile - 1) / tile, (m + tile_m - 1) / tile_m},
         .block = {tensor_pipeline::threads},
         .shared_bytes = sizeof(tensor_pipeline::Shared)},
        tensor_pipeline::kernel<bug>, map_of(a.data(), 2, m, k, tile, tile_m, 128),
        map_of(b.data(), 2, n, k, tile, tile, 128), map_of(c.data(), 4, m, n, tensor_pipeline::store_columns, tile, 0),
        k);
    outcome.wrong_values = !c.equals(expected);
    return outcome;
}

template <Bug bug>
Subject subject(const char* description) {
    return {"tensor pipeline", bug, description, run_tensor_pipeline<bug>};
}

}  // namespace

std::vector<Subject> tensor_pipeline_subjects() {
    return {
        subject<Bug::none>("no bug"),
        subject<Bug::no_wait_for_full>("no wait for a stage's copies"),
        subject<Bug::wrong_parity_of_full>("the wait for a stage has the wrong parity"),
        subject<Bug::no_wait_for_empty>("stages are refilled without a wait for their use to end"),
        subject<Bug::too_few_bytes_expected>("the mbarrier expects the bytes of one operand only"),
        subject<Bug::too_many_bytes_expected>("the mbarrier expects 16 bytes too many"),
        subject<Bug::release_before_wait>("a stage is released while wgmma reads it"),
        subject<Bug::release_of_stage_in_use>("the wait leaves the stage's own group under way when it is released"),
        subject<Bug::no_wgmma_wait>("no wait for wgmma"),
        subject<Bug::no_wgmma_commit>("wgmma is not committed, so that the wait waits for nothing"),
        subject<Bug::no_wgmma_fence>("no wgmma_fence before the accumulators' first use"),
        subject<Bug::wrong_descriptor_step>("the descriptor goes twice as far along k"),
        subject<Bug::wrong_descriptor_swizzle>("the descriptor names another swizzle than the copy's"),
        subject<Bug::swapped_coordinates>("the box's coordinates are swapped"),
        subject<Bug::too_few_arrivals>("the mbarrier is made for one arrival too few"),
        subject<Bug::too_many_arrivals>("the mbarrier is made for one arrival too many"),
        subject<Bug::no_barrier_after_init>("mbarriers are used before the barrier that follows their making"),
        subject<Bug::no_fence_after_init>("no fence between the making of mbarriers and the copies' use of them"),
        subject<Bug::no_proxy_fence_before_store>("no proxy fence between plain stores and the tensor store"),
        subject<Bug::no_barrier_before_store>("the tensor store starts before all warps have written"),
        subject<Bug::staging_overwritten_early>("the staging buffer is written while a store reads it"),
        subject<Bug::no_commit_of_store>("the tensor store is not committed, so that the wait waits for nothing"),
    };
}

}  // namespace lk::breaks
