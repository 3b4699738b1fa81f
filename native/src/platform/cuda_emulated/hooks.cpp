// The hooks that the compiler calls before plain loads and stores of kernel units (-fsanitize=thread). The library that
// would define them, libtsan, is not linked. This unit and the rest of the emulated device are compiled without the
// option, so a hook does not call itself.
#include <cstddef>
#include <cstdint>

#include "platform/cuda_emulated/state.h"
#include "platform/cuda_emulated/wgmma.h"

namespace lk::emulated {
namespace {

inline void watch(void* address, size_t bytes, AccessKind kind, const void* pc) {
    Lane* const lane = watched_lane;
    if (lane == nullptr) return;  // host code, or an unchecked launch
    if (size_t(static_cast<char*>(address) - lane->stack) < StackPool::stack_bytes) {
        // The lane's own variables. Accumulators of wgmma under way are not to be touched.
        if (lane->warp->wgmma_in_flight) check_accumulator_access(*lane, address, bytes, pc);
        return;
    }
    // Should the linker have kept an announcing copy of something that runs from here on, it is not the kernel's.
    watched_lane = nullptr;
    Counters& counters = lane->block->run->report->counters;
    ++counters.accesses;
    if (lane->block->run->options->count_conflicts && lane->block->owns_window(address)) {
        counters.bank_conflicts +=
            lane->warp->instructions.add(pc, lane->number, lane->block->offset(address), uint32_t(bytes));
    }
    note_access(*lane, address, uint32_t(bytes), kind, pc);
    watched_lane = lane;
}

}  // namespace
}  // namespace lk::emulated

#define LK_HOOK_NAMED(name, bytes, kind)                                                                  \
    extern "C" void name(void* address) {                                                                 \
        lk::emulated::watch(address, bytes, lk::emulated::AccessKind::kind, __builtin_return_address(0)); \
    }
#define LK_HOOKS(bytes)                                        \
    LK_HOOK_NAMED(__tsan_read##bytes, bytes, read)             \
    LK_HOOK_NAMED(__tsan_write##bytes, bytes, write)           \
    LK_HOOK_NAMED(__tsan_unaligned_read##bytes, bytes, read)   \
    LK_HOOK_NAMED(__tsan_unaligned_write##bytes, bytes, write) \
    LK_HOOK_NAMED(__tsan_volatile_read##bytes, bytes, read)    \
    LK_HOOK_NAMED(__tsan_volatile_write##bytes, bytes, write)

LK_HOOKS(1)
LK_HOOKS(2)
LK_HOOKS(4)
LK_HOOKS(8)
LK_HOOKS(16)

extern "C" {

void __tsan_read_range(void* address, size_t bytes) {
    lk::emulated::watch(address, bytes, lk::emulated::AccessKind::read, __builtin_return_address(0));
}
void __tsan_write_range(void* address, size_t bytes) {
    lk::emulated::watch(address, bytes, lk::emulated::AccessKind::write, __builtin_return_address(0));
}

// Announcements that say nothing about a kernel's memory.
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}
}

// Atomics of the host code in kernel units (reference counts): done here, for the compiler leaves them to the hook.
#define LK_ATOMIC_UPDATE(bits, operation)                                                         \
    extern "C" uint##bits##_t __tsan_atomic##bits##_##operation(volatile uint##bits##_t* address, \
                                                                uint##bits##_t value, int) {      \
        return __atomic_##operation(address, value, __ATOMIC_SEQ_CST);                            \
    }
#define LK_ATOMICS(bits)                                                                                             \
    extern "C" uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t* address, int) {              \
        return __atomic_load_n(address, __ATOMIC_SEQ_CST);                                                           \
    }                                                                                                                \
    extern "C" void __tsan_atomic##bits##_store(volatile uint##bits##_t* address, uint##bits##_t value, int) {       \
        __atomic_store_n(address, value, __ATOMIC_SEQ_CST);                                                          \
    }                                                                                                                \
    extern "C" uint##bits##_t __tsan_atomic##bits##_exchange(volatile uint##bits##_t* address, uint##bits##_t value, \
                                                             int) {                                                  \
        return __atomic_exchange_n(address, value, __ATOMIC_SEQ_CST);                                                \
    }                                                                                                                \
    extern "C" int __tsan_atomic##bits##_compare_exchange_strong(                                                    \
        volatile uint##bits##_t* address, uint##bits##_t* expected, uint##bits##_t desired, int, int) {              \
        return __atomic_compare_exchange_n(address, expected, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);   \
    }                                                                                                                \
    extern "C" int __tsan_atomic##bits##_compare_exchange_weak(                                                      \
        volatile uint##bits##_t* address, uint##bits##_t* expected, uint##bits##_t desired, int, int) {              \
        return __atomic_compare_exchange_n(address, expected, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);   \
    }                                                                                                                \
    LK_ATOMIC_UPDATE(bits, fetch_add)                                                                                \
    LK_ATOMIC_UPDATE(bits, fetch_sub)                                                                                \
    LK_ATOMIC_UPDATE(bits, fetch_and)                                                                                \
    LK_ATOMIC_UPDATE(bits, fetch_or)                                                                                 \
    LK_ATOMIC_UPDATE(bits, fetch_xor)

LK_ATOMICS(8)
LK_ATOMICS(32)
LK_ATOMICS(64)

extern "C" void __tsan_atomic_thread_fence(int) {
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
