#include "formats/group_index.h"

#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "core/memory.h"

namespace lk::formats {
namespace {

int32_t group_of(const lk_weight_tensors& tensors, int64_t k) {
    int32_t group;
    std::memcpy(&group, static_cast<const char*>(tensors.group_index.data) + k * int64_t(sizeof group), sizeof group);
    return group;
}

}  // namespace

void check_group_index(const lk_weight_tensors& t) {
    const int64_t groups = divide_up(t.in_features, t.group_size);
    std::vector<int64_t> members(static_cast<size_t>(groups));
    for (int64_t k = 0; k < t.in_features; ++k) {
        const int32_t group = group_of(t, k);
        if (group < 0 || group >= groups) {
            fail(LK_INVALID_ARGUMENT, "tensors.group_index[%lld]: is %d; allowed are 0 ... %lld",
                 static_cast<long long>(k), group, static_cast<long long>(groups - 1));
        }
        ++members[size_t(group)];
    }
    for (int64_t group = 0; group < groups; ++group) {
        const int64_t expected = std::min(t.group_size, t.in_features - group * t.group_size);
        if (members[size_t(group)] == expected) continue;
        fail(LK_INVALID_ARGUMENT, "tensors.group_index: group %lld has %lld members, its size is %lld",
             static_cast<long long>(group), static_cast<long long>(members[size_t(group)]),
             static_cast<long long>(expected));
    }
}

bool is_in_order(const lk_weight_tensors& t) {
    if (t.group_index.size == 0) return true;
    for (int64_t k = 1; k < t.in_features; ++k) {
        if (group_of(t, k) < group_of(t, k - 1)) return false;
    }
    return true;
}

void read_order(const lk_weight_tensors& t, int32_t* order) {
    // Groups have known places, so each k goes to the next free one of its group.
    std::vector<int64_t> next(size_t(divide_up(t.in_features, t.group_size)));
    for (size_t group = 0; group < next.size(); ++group) next[group] = int64_t(group) * t.group_size;
    for (int64_t k = 0; k < t.in_features; ++k) order[next[size_t(group_of(t, k))]++] = static_cast<int32_t>(k);
}

void write_group_index(const lk_weight_tensors& t, const int32_t* order) {
    for (int64_t packed = 0; packed < t.in_features; ++packed) {
        const auto group = static_cast<int32_t>(packed / t.group_size);
        const int64_t k = order == nullptr ? packed : order[packed];
        std::memcpy(static_cast<char*>(t.group_index.data) + k * int64_t(sizeof group), &group, sizeof group);
    }
}

}  // namespace lk::formats
