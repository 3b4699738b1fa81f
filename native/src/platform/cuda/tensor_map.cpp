#include "platform/cuda/tensor_map.h"

#include "platform/cuda/driver.h"
#include "platform/cuda/status.h"

namespace lk::cuda {

TensorMap make_tensor_map(const TensorLayout& layout) {
    const cuuint32_t rank = layout.slices == 1 ? 2 : 3;
    const cuuint64_t extents[3] = {layout.columns, layout.rows, layout.slices};
    const cuuint64_t strides[2] = {layout.row_bytes, layout.slice_bytes};  // the innermost one is the element
    const cuuint32_t box[3] = {layout.box_columns, layout.box_rows, layout.box_slices};
    const cuuint32_t element_strides[3] = {1, 1, 1};
    TensorMap map{};
    const CUresult error = driver().tensor_map_tiled(
        &map, layout.type, rank, const_cast<void*>(layout.data), extents, strides, box, element_strides,
        CU_TENSOR_MAP_INTERLEAVE_NONE, layout.swizzle, layout.promotion, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
    if (error == CUDA_ERROR_INVALID_VALUE) {
        fail(LK_INTERNAL,
             "cuTensorMapEncodeTiled refuses %llu x %llu x %llu at %p, rows %llu bytes apart, slices %llu, box %u x "
             "%u x %u, type %d, swizzle %d",
             static_cast<unsigned long long>(layout.slices), static_cast<unsigned long long>(layout.rows),
             static_cast<unsigned long long>(layout.columns), layout.data,
             static_cast<unsigned long long>(layout.row_bytes), static_cast<unsigned long long>(layout.slice_bytes),
             layout.box_slices, layout.box_rows, layout.box_columns, int(layout.type), int(layout.swizzle));
    }
    check(error, "cuTensorMapEncodeTiled");
    return map;
}

}  // namespace lk::cuda
