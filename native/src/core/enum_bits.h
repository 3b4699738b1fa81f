// Enums that come from outside.
#pragma once

#include <cstdint>
#include <cstring>

namespace lk {

// The bits of an enum: to read it as the enum would be undefined where it is no enumerator.
template <class Enum>
int32_t raw(const Enum& value) {
    static_assert(sizeof value == sizeof(int32_t));
    int32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

}  // namespace lk
