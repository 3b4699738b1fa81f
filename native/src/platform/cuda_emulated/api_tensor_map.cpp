// cuTensorMapEncodeTiled with CUDA's argument checks. CUDA Driver API, "Tensor Map Object Management".
#include "platform/cuda_emulated/call.h"

using namespace lk::emulated;

namespace {

constexpr uint64_t kMaxExtent = uint64_t(1) << 32;
constexpr uint64_t kMaxStride = uint64_t(1) << 40;
constexpr uint32_t kMaxRank = 5;
constexpr uint32_t kMaxBox = 256;
constexpr uint32_t kAlignment = 16;  // of the address, the strides and the box's rows

// 0 for a type that there is not.
uint32_t bytes_of(CUtensorMapDataType type) {
    switch (type) {
        case CU_TENSOR_MAP_DATA_TYPE_UINT8:
            return 1;
        case CU_TENSOR_MAP_DATA_TYPE_UINT16:
        case CU_TENSOR_MAP_DATA_TYPE_FLOAT16:
        case CU_TENSOR_MAP_DATA_TYPE_BFLOAT16:
            return 2;
        case CU_TENSOR_MAP_DATA_TYPE_UINT32:
        case CU_TENSOR_MAP_DATA_TYPE_INT32:
        case CU_TENSOR_MAP_DATA_TYPE_FLOAT32:
            return 4;
        case CU_TENSOR_MAP_DATA_TYPE_UINT64:
        case CU_TENSOR_MAP_DATA_TYPE_INT64:
        case CU_TENSOR_MAP_DATA_TYPE_FLOAT64:
            return 8;
    }
    return 0;
}

// 0: none.
uint32_t span_of(CUtensorMapSwizzle swizzle) {
    return swizzle == CU_TENSOR_MAP_SWIZZLE_NONE ? 0 : 16u << uint32_t(swizzle);
}

bool is_valid(const TensorMap& map, const cuuint32_t* element_strides) {
    if (map.rank < 1 || map.rank > kMaxRank || map.element_bytes == 0) return false;
    if (reinterpret_cast<uintptr_t>(map.data) % kAlignment != 0) return false;
    const uint32_t box_row = map.box[0] * map.element_bytes;
    if (box_row % kAlignment != 0) return false;
    if (map.swizzle_bytes != 0 && box_row > map.swizzle_bytes) return false;
    for (uint32_t i = 0; i < map.rank; ++i) {
        if (map.extents[i] == 0 || map.extents[i] > kMaxExtent) return false;
        if (map.box[i] == 0 || map.box[i] > kMaxBox) return false;
        if (element_strides[i] != 1) return false;  // CUDA has up to 8; nothing here copies every n-th element
        if (i == 0) continue;
        const uint64_t least = i == 1 ? map.extents[0] * map.element_bytes : map.strides[i - 1];
        if (map.strides[i] % kAlignment != 0 || map.strides[i] >= kMaxStride || map.strides[i] < least) return false;
    }
    return true;
}

}  // namespace

CUresult cuTensorMapEncodeTiled(CUtensorMap* map, CUtensorMapDataType type, cuuint32_t rank, void* address,
                                const cuuint64_t* extents, const cuuint64_t* strides, const cuuint32_t* box,
                                const cuuint32_t* element_strides, CUtensorMapInterleave interleave,
                                CUtensorMapSwizzle swizzle, CUtensorMapL2promotion, CUtensorMapFloatOOBfill) {
    Machine& machine = Machine::instance();
    const std::lock_guard lock(machine.mutex);
    const Context* const context = current_context(machine);
    if (context == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    if (interleave != CU_TENSOR_MAP_INTERLEAVE_NONE || rank < 1 || rank > kMaxRank ||
        reinterpret_cast<uintptr_t>(map) % alignof(CUtensorMap) != 0) {
        return CUDA_ERROR_INVALID_VALUE;
    }
    TensorMap made{};
    made.data = address;
    made.rank = rank;
    made.element_bytes = bytes_of(type);
    made.strides[0] = made.element_bytes;
    made.swizzle_bytes = span_of(swizzle);
    made.context = context->id;
    for (uint32_t i = 0; i < rank; ++i) {
        made.extents[i] = extents[i];
        made.box[i] = box[i];
        if (i > 0) made.strides[i] = strides[i - 1];
    }
    if (!is_valid(made, element_strides)) return CUDA_ERROR_INVALID_VALUE;
    *map = made;
    return CUDA_SUCCESS;
}
