#include "matmul/cuda/matmul.h"

#include <algorithm>

#include "core/error.h"
#include "matmul/cuda/decode.h"
#include "matmul/cuda/plain.h"
#include "matmul/cuda/stage_x.h"

namespace lk::cuda {
namespace {

void check_meetings(int64_t tiles) {
    if (tiles > most_arrivals()) {
        fail(LK_UNSUPPORTED,
             "x: so many rows times the weight's out_features make %lld tiles; batch-invariant fp32 has at most %lld a "
             "call, split x",
             static_cast<long long>(tiles), static_cast<long long>(most_arrivals()));
    }
}

}  // namespace

MatmulPlan plan_matmul(const FragmentView& weight, const lk_matrix& x, const DeviceFacts& device,
                       bool batch_invariant) {
    MatmulPlan plan{};
    plan.choice = choose_matmul(weight, x.dtype, x.rows, device, batch_invariant);
    switch (plan.choice.path) {
        case MatmulPath::decode:
            break;
        case MatmulPath::batch:
            plan.sum_bytes = batch_scratch(weight, x.dtype, x.rows, plan.choice.batch).sum_bytes;
            break;
        case MatmulPath::plain:
            check_meetings(plain_scratch(weight.layout, x.rows, plan.choice.plain).arrivals);
            plan.sum_bytes = plain_scratch(weight.layout, x.rows, plan.choice.plain).sums * int64_t(sizeof(float));
            return plan;
    }
    plan.staged = needs_staging(weight, x);
    plan.staged_bytes = staged_bytes(weight, x);
    return plan;
}

int64_t most_matmul_bytes(int64_t tokens, int64_t in_features, int64_t out_features, const DeviceFacts& device) {
    const int64_t staged = tokens * round_up(in_features, FragmentLayout::kBlockDepth) * int64_t(sizeof(uint16_t));
    return staged + most_sum_bytes(out_features, in_features, tokens, device);
}

void stage(const Stream& stream, const MatmulPlan& plan, const MatmulScratch& scratch, MatmulArguments& arguments) {
    arguments.tokens =
        plan.staged ? stage_x(stream, arguments.weight, arguments.x, scratch.staged) : unstaged(arguments.x);
}

void matmul(const Stream& stream, const MatmulPlan& plan, const MatmulScratch& scratch,
            const MatmulArguments& arguments, bool programmatic) {
    switch (plan.choice.path) {
        case MatmulPath::decode: {
            LaunchConfig config = decode_launch(arguments, plan.choice.decode_warps);
            config.stream = stream.handle();
            config.programmatic = programmatic;
            return launch(decode_kernel_for(arguments.weight, arguments.x.dtype), config, arguments);
        }
        case MatmulPath::batch:
            return batch(stream, batch_launch(arguments, plan.choice.batch, scratch.sums, scratch.arrivals),
                         programmatic);
        case MatmulPath::plain:
            return plain(stream, arguments, plan.choice.plain, scratch.sums, scratch.arrivals, programmatic);
    }
}

}  // namespace lk::cuda
