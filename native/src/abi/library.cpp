// Status, versions, devices, threads.
#include "abi/checks.h"
#include "core/handle.h"
#include "devices/devices.h"
#include "platform/cpu/thread_pool.h"

using namespace lk;
using namespace lk::abi;

const char* lk_status_name(lk_status status) {
    switch (raw(status)) {
        case LK_OK:
            return "LK_OK";
        case LK_INVALID_ARGUMENT:
            return "LK_INVALID_ARGUMENT";
        case LK_SHAPE_MISMATCH:
            return "LK_SHAPE_MISMATCH";
        case LK_OVERLAP:
            return "LK_OVERLAP";
        case LK_UNSUPPORTED:
            return "LK_UNSUPPORTED";
        case LK_OUT_OF_MEMORY:
            return "LK_OUT_OF_MEMORY";
        case LK_CAPACITY_EXCEEDED:
            return "LK_CAPACITY_EXCEEDED";
        case LK_NOT_FOUND:
            return "LK_NOT_FOUND";
        case LK_BUSY:
            return "LK_BUSY";
        case LK_ABI_MISMATCH:
            return "LK_ABI_MISMATCH";
        case LK_DEVICE_UNAVAILABLE:
            return "LK_DEVICE_UNAVAILABLE";
        case LK_INTERNAL:
            return "LK_INTERNAL";
        case LK_DEVICE_LOST:
            return "LK_DEVICE_LOST";
        case LK_DRIVER_TOO_OLD:
            return "LK_DRIVER_TOO_OLD";
        case LK_ARCHITECTURE_NOT_BUILT:
            return "LK_ARCHITECTURE_NOT_BUILT";
    }
    return "unknown";
}

const char* lk_last_error(void) {
    return last_error();
}

uint32_t lk_abi_version(void) {
    return LK_ABI_VERSION;
}

const char* lk_version(void) {
    return LK_VERSION;
}

const char* lk_build_info(void) {
    return build_info();
}

int64_t lk_live_handles(void) {
    return Handle::live();
}

lk_status lk_device_count(lk_device_kind kind, int32_t* count_out) {
    return guard([&] {
        check_device_kind(kind, "kind");
        require(count_out, "count_out");
        *count_out = device_count(kind);
    });
}

lk_status lk_device_describe(lk_device_kind kind, int32_t index, lk_device_info* info_out) {
    return guard([&] {
        check_device_kind(kind, "kind");
        require_struct(info_out, "info_out");
        lk_device_info info{};
        info.struct_size = sizeof info;
        describe_device(kind, index, info);
        *info_out = info;
    });
}

lk_status lk_cpu_set_thread_count(int32_t count) {
    return guard([&] {
        if (count < 0 || count > cpu::ThreadPool::kMaxThreads) {
            fail(LK_INVALID_ARGUMENT, "count: is %d; allowed are 0 (one per processor) ... %d", count,
                 cpu::ThreadPool::kMaxThreads);
        }
        cpu::ThreadPool::shared().set_thread_count(count);
    });
}

int32_t lk_cpu_thread_count(void) {
    return cpu::ThreadPool::shared().thread_count();
}
