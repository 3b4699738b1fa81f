#include "platform/cuda_emulated/tensor_copy.h"

namespace lk::emulated {

TensorMap bytes_map(const void* global, uint32_t bytes) {
    TensorMap map{};
    map.data = const_cast<void*>(global);
    map.rank = 1;
    map.element_bytes = 1;
    map.extents[0] = bytes;
    map.strides[0] = 1;
    map.box[0] = bytes;
    return map;
}

uint32_t box_bytes(const TensorMap& map) {
    uint32_t bytes = map.element_bytes;
    for (uint32_t i = 0; i < map.rank; ++i) bytes *= map.box[i];
    return bytes;
}

uint32_t box_alignment(const TensorMap& map) {
    constexpr uint32_t rows = 8;
    return map.swizzle_bytes == 0 ? 128 : map.swizzle_bytes * rows;
}

}  // namespace lk::emulated
