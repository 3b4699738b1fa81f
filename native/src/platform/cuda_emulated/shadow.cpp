#include "platform/cuda_emulated/shadow.h"

#include "platform/cuda_emulated/access.h"

namespace lk::emulated {

void CellPool::clear() {
    nodes_.assign(1, {});  // index 0 means none
    bytes_.assign(1, {});
    free_node_ = 0;
}

uint32_t CellPool::make_node(const Reader& reader, uint32_t next) {
    if (free_node_ == 0) {
        nodes_.push_back({reader, next});
        return uint32_t(nodes_.size() - 1);
    }
    const uint32_t index = free_node_;
    free_node_ = nodes_[index].next;
    nodes_[index] = {reader, next};
    return index;
}

void CellPool::free_list(uint32_t first) {
    while (first != 0) {
        const uint32_t next = nodes_[first].next;
        nodes_[first].next = free_node_;
        free_node_ = first;
        first = next;
    }
}

uint32_t CellPool::make_bytes(const Cell& cell) {
    Cell byte = cell;
    byte.more = 0;
    bytes_.push_back({byte, byte, byte, byte});
    return uint32_t(bytes_.size() - 1);
}

}  // namespace lk::emulated
