#include <random>

#include "breaks/bulk_ring.cuh"

namespace lk::breaks {
namespace {

std::vector<uint32_t> ring_result(const std::vector<uint32_t>& source) {
    using bulk_ring::words;
    std::vector<uint32_t> result(source.size());
    for (uint32_t i = 0; i < result.size(); ++i) result[i] = source[i / words * words + words - 1 - i % words] * 3;
    return result;
}

// Two launches, the second of which reads what the first wrote and may start while it runs.
template <Bug bug>
Outcome run_bulk_ring(const emulated::Options& options) {
    constexpr uint32_t tiles = 23, blocks = 2;
    std::mt19937 random(5);
    std::vector<uint32_t> values(tiles * bulk_ring::words);
    for (uint32_t& value : values) value = static_cast<uint32_t>(random());
    const DeviceArray<uint32_t> source(values), middle(values.size()), results(values.size());
    Outcome outcome;
    Shape shape{.grid = {blocks}, .block = {bulk_ring::warps * 32}, .shared_bytes = bulk_ring::shared_bytes};
    run(outcome, options, shape, bulk_ring::kernel<Bug::none>, source.data(), tiles, middle.data());
    shape.programmatic = true;
    run(outcome, options, shape, bulk_ring::kernel<bug>, middle.data(), tiles, results.data());
    outcome.wrong_values = !results.equals(ring_result(ring_result(values)));
    return outcome;
}

template <Bug bug>
Subject subject(const char* description) {
    return {"bulk ring", bug, description, run_bulk_ring<bug>};
}

}  // namespace

std::vector<Subject> bulk_ring_subjects() {
    return {
        subject<Bug::none>("no bug"),
        subject<Bug::no_warp_sync_before_refill>("no warp_sync between a warp's reads and its own bulk refill"),
        subject<Bug::refill_before_read>("a stage is refilled before it is read"),
        subject<Bug::no_wait_for_bytes>("no wait for the copy"),
        subject<Bug::wrong_parity_of_ring>("the parity follows the round and not the ring"),
        subject<Bug::bytes_never_expected>("the mbarrier expects no bytes"),
        subject<Bug::no_wait_before_staging>("the staging buffer is written while a store reads it"),
        subject<Bug::no_proxy_fence_in_ring>("no proxy fence between plain stores and the bulk store"),
        subject<Bug::no_warp_sync_before_bulk_store>("the bulk store starts before all lanes have written"),
        subject<Bug::no_grid_dependency_wait>("a programmatic launch reads before grid_dependency_wait"),
    };
}

}  // namespace lk::breaks
