// Which memory something lies in.
#pragma once

#include <cstdint>

#include "lorakernels.h"

namespace lk {

struct DeviceId {
    lk_device_kind kind = LK_DEVICE_CPU;
    int32_t index = 0;
    const void* address_space = nullptr;  // the CUDA context: a device may have several, each with memory of its own

    bool operator==(const DeviceId&) const = default;
};

}  // namespace lk
