// One instruction set path of the CPU backend: how it computes each operation. A path with faster kernels is one more
// such table and one line in cpu_paths.cpp.
#pragma once

#include "core/backend.h"

namespace lk::cpu {

struct Kernels {
    lk_cpu_isa isa;
    const char* name;
    bool (*supported)();

    void (*pack)(const lk_allocator& allocator, const lk_weight_tensors& tensors, lk_weight& weight);
    void (*dequantize)(const lk_weight& weight, const lk_matrix& y);
    void (*quantize)(const lk_matrix& w, lk_weight_tensors& tensors);
    void (*linear)(const LinearArguments& arguments, Workspace& workspace);
    void (*shrink)(const lk_matrix& x, const BatchPlan& plan, int32_t module, const lk_matrix& s, Workspace& workspace);
    void (*expand)(const lk_matrix& s, const BatchPlan& plan, int32_t module, const lk_matrix& y, Workspace& workspace);
    void (*apply)(const lk_matrix& x, const BatchPlan& plan, int32_t module, const lk_matrix& y, Workspace& workspace);
    int64_t (*workspace_bytes)(int64_t rows, int64_t in_features, int64_t entries, int64_t rank_tiles);
};

}  // namespace lk::cpu
