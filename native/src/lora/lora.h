// The LoRA operations of their own, one set for each path. s and the intermediate are described in lorakernels.h.
#pragma once

#include "lorakernels.h"

namespace lk {

class Workspace;
struct BatchPlan;

namespace cpu {

struct Path;

namespace reference {
void shrink(const lk_matrix& x, const BatchPlan& plan, int32_t module, const lk_matrix& s, Workspace& workspace);
void expand(const lk_matrix& s, const BatchPlan& plan, int32_t module, const lk_matrix& y, Workspace& workspace);
void apply(const lk_matrix& x, const BatchPlan& plan, int32_t module, const lk_matrix& y, Workspace& workspace);
}  // namespace reference

// Threaded, in blocks that the path's kernels compute.
namespace blocked {
void shrink(const Path& path, const lk_matrix& x, const BatchPlan& plan, int32_t module, const lk_matrix& s,
            Workspace& workspace);
void expand(const Path& path, const lk_matrix& s, const BatchPlan& plan, int32_t module, const lk_matrix& y,
            Workspace& workspace);
void apply(const Path& path, const lk_matrix& x, const BatchPlan& plan, int32_t module, const lk_matrix& y,
           Workspace& workspace);
}  // namespace blocked

}  // namespace cpu
}  // namespace lk
