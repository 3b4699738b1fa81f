#include <algorithm>

#include "breaks/pipelined.cuh"
#include "breaks/samples.h"

namespace lk::breaks {
namespace {

// Tails in all three dimensions; two blocks along M and N, three along K.
template <Bug bug>
Outcome run_pipelined(const emulated::Options& options) {
    constexpr int m = 40, n = 72, k = 424, splits = 3;
    static const Matrix a_values(m, k, 1), b_values(n, k, 2);
    static const std::vector<float> expected = product(a_values, b_values);
    const DeviceArray<uint16_t> a(a_values.halves), b(b_values.halves);
    const DeviceArray<float> parts(size_t(splits * m * n)), c(size_t(m * n));
    const uint32_t columns = (n + pipelined::tile_n - 1) / pipelined::tile_n;
    const uint32_t rows = (m + pipelined::tile_m - 1) / pipelined::tile_m;
    const DeviceArray<uint32_t> arrivals(std::vector<uint32_t>(columns * rows));
    const DeviceArray<uint32_t> rows_done(std::vector<uint32_t>(1)), nonzero(std::vector<uint32_t>(1));
    const pipelined::Arguments arguments{
        a.data(), b.data(), parts.data(), arrivals.data(), c.data(), rows_done.data(), nonzero.data(), m, n, k, splits};
    Outcome outcome;
    run(outcome, options,
        {.grid = {columns, rows, splits}, .block = {pipelined::threads}, .shared_bytes = pipelined::shared_bytes},
        pipelined::kernel<bug>, arguments);
    const auto nonzero_count =
        static_cast<uint32_t>(std::count_if(expected.begin(), expected.end(), [](float sum) { return sum != 0; }));
    outcome.wrong_values =
        !c.equals(expected) || !rows_done.equals({m * columns * splits}) || !nonzero.equals({nonzero_count});
    return outcome;
}

template <Bug bug>
Subject subject(const char* description) {
    return {"pipelined", bug, description, run_pipelined<bug>};
}

}  // namespace

std::vector<Subject> pipelined_subjects() {
    return {
        subject<Bug::none>("no bug"),
        subject<Bug::no_barrier_after_copies>("no barrier between the wait for copies and their use by other threads"),
        subject<Bug::refill_before_barrier>("a stage is refilled before the barrier that ends its use"),
        subject<Bug::wait_one_group_short>("the wait leaves one group of copies too many under way"),
        subject<Bug::no_wait_for_copies>("no wait for copies"),
        subject<Bug::no_commit_at_the_end>("no empty groups committed at the end, so that the wait counts wrong"),
        subject<Bug::wrong_stage>("the stage after the one that is due is read"),
        subject<Bug::swapped_fragments>("two registers of A's fragment swapped"),
        subject<Bug::wrong_matrix_address>("ldmatrix addresses the halves of k by the wrong bit of the lane"),
        subject<Bug::wrong_swizzle_on_read>("tiles are read with another swizzle than they were written with"),
        subject<Bug::no_row_predicate>("rows beyond the matrix are copied"),
        subject<Bug::no_k_tail>("the tail of K is not filled with zeros"),
        subject<Bug::no_column_predicate>("columns beyond the matrix are stored"),
        subject<Bug::divergent_ldmatrix>("half of the lanes take part in ldmatrix"),
        subject<Bug::no_barrier_before_reuse>("the ring's memory is used for the reduction without a barrier"),
        subject<Bug::no_barrier_in_reduction>("no barrier between the two sides of the reduction over warps"),
        subject<Bug::barrier_skipped_by_a_warp>("one warp skips the block's barrier once"),
        subject<Bug::barrier_with_wrong_count>("the barrier waits for half of the threads"),
        subject<Bug::plain_addition>("blocks add with += instead of an atomic"),
        subject<Bug::relaxed_counter>("the arrival counter neither acquires nor releases"),
        subject<Bug::no_barrier_before_flag>("the block arrives before all of its threads have written their part"),
        subject<Bug::wrong_last_block>("the last block but one adds the parts up"),
        subject<Bug::slice_left_out>("a K tile falls between the slices"),
        subject<Bug::shuffle_in_divergent_code>("a warp's sum is taken by some of the lanes it names"),
        subject<Bug::early_exit_before_barrier>("some threads leave before the barriers"),
    };
}

}  // namespace lk::breaks
