// The bugs that are planted one at a time into kernels written for it, to see that the emulated device catches them.
#pragma once

#include <ostream>
#include <vector>

#include "breaks/outcome.h"

namespace lk::breaks {

enum class Bug {
    none,

    // pipelined.cuh
    no_barrier_after_copies,
    refill_before_barrier,
    wait_one_group_short,
    no_wait_for_copies,
    no_commit_at_the_end,
    wrong_stage,
    swapped_fragments,
    wrong_matrix_address,
    wrong_swizzle_on_read,
    no_row_predicate,
    no_k_tail,
    no_column_predicate,
    divergent_ldmatrix,
    no_barrier_before_reuse,
    no_barrier_in_reduction,
    barrier_skipped_by_a_warp,
    barrier_with_wrong_count,
    plain_addition,
    relaxed_counter,
    no_barrier_before_flag,
    wrong_last_block,
    slice_left_out,
    shuffle_in_divergent_code,
    early_exit_before_barrier,

    // tensor_pipeline.cuh
    no_wait_for_full,
    wrong_parity_of_full,
    no_wait_for_empty,
    too_few_bytes_expected,
    too_many_bytes_expected,
    release_before_wait,
    release_of_stage_in_use,
    no_wgmma_wait,
    no_wgmma_commit,
    no_wgmma_fence,
    wrong_descriptor_step,
    wrong_descriptor_swizzle,
    swapped_coordinates,
    too_few_arrivals,
    too_many_arrivals,
    no_barrier_after_init,
    no_fence_after_init,
    no_proxy_fence_before_store,
    no_barrier_before_store,
    staging_overwritten_early,
    no_commit_of_store,

    // bulk_ring.cuh
    no_warp_sync_before_refill,
    refill_before_read,
    no_wait_for_bytes,
    wrong_parity_of_ring,
    bytes_never_expected,
    no_wait_before_staging,
    no_proxy_fence_in_ring,
    no_warp_sync_before_bulk_store,
    no_grid_dependency_wait,
};

// One kernel with one bug, or with none.
struct Subject {
    const char* kernel;
    Bug bug;
    const char* description;
    Outcome (*run)(const emulated::Options&);

    friend std::ostream& operator<<(std::ostream& out, const Subject& subject) {
        return out << subject.kernel << ": " << subject.description;
    }
};

std::vector<Subject> pipelined_subjects();
std::vector<Subject> tensor_pipeline_subjects();
std::vector<Subject> bulk_ring_subjects();

// All of them; each kernel's unbroken form first.
std::vector<Subject> all_subjects();

// The options of run number `seed`: schedules, preemption and rounding vary with it.
emulated::Options options_of(uint64_t seed);

}  // namespace lk::breaks
