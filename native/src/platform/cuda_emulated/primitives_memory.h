// Loads and stores with hints, atomics, and what passes data between blocks.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "platform/cuda_emulated/site.h"

namespace lk::emulated {

enum class MemoryOrder { relaxed, acquire, release, acquire_release };

// Reports the access of a hinted load or store; the bytes are then moved by the caller.
void announce_load(const void* address, uint32_t bytes, Site site);
void announce_store(void* address, uint32_t bytes, Site site);

template <class V>
LK_UNWATCHED inline V load_nc(const V* address, Site site) {
    announce_load(address, sizeof(V), site);
    V value;
    std::memcpy(&value, address, sizeof(V));
    return value;
}
template <class V>
LK_UNWATCHED inline void store_streaming(V* address, V value, Site site) {
    announce_store(address, sizeof(V), site);
    std::memcpy(address, &value, sizeof(V));
}

enum class AtomicOperation { add_u32, add_f32, max_u32, max_s32, exchange, compare_exchange };

// Returns the 32 bits before.
uint32_t atomic(AtomicOperation operation, MemoryOrder order, void* address, uint32_t operand, uint32_t expected,
                Site site);

template <class T>
LK_UNWATCHED inline T atomic_add(T* address, T value, Site site) {
    static_assert(sizeof(T) == 4);
    constexpr auto operation = std::is_floating_point_v<T> ? AtomicOperation::add_f32 : AtomicOperation::add_u32;
    return std::bit_cast<T>(atomic(operation, MemoryOrder::relaxed, address, std::bit_cast<uint32_t>(value), 0, site));
}
template <class T>
LK_UNWATCHED inline T atomic_max(T* address, T value, Site site) {
    static_assert(std::is_integral_v<T> && sizeof(T) == 4);
    constexpr auto operation = std::is_signed_v<T> ? AtomicOperation::max_s32 : AtomicOperation::max_u32;
    return std::bit_cast<T>(atomic(operation, MemoryOrder::relaxed, address, std::bit_cast<uint32_t>(value), 0, site));
}
template <class T>
LK_UNWATCHED inline T atomic_exchange(T* address, T value, Site site) {
    static_assert(sizeof(T) == 4);
    return std::bit_cast<T>(
        atomic(AtomicOperation::exchange, MemoryOrder::relaxed, address, std::bit_cast<uint32_t>(value), 0, site));
}
template <class T>
LK_UNWATCHED inline T atomic_cas(T* address, T expected, T desired, Site site) {
    static_assert(sizeof(T) == 4);
    return std::bit_cast<T>(atomic(AtomicOperation::compare_exchange, MemoryOrder::relaxed, address,
                                   std::bit_cast<uint32_t>(desired), std::bit_cast<uint32_t>(expected), site));
}
LK_UNWATCHED inline uint32_t atomic_add_acq_rel(uint32_t* address, uint32_t value, Site site) {
    return atomic(AtomicOperation::add_u32, MemoryOrder::acquire_release, address, value, 0, site);
}
LK_UNWATCHED inline void red_add(float* address, float value, Site site) {
    atomic(AtomicOperation::add_f32, MemoryOrder::relaxed, address, std::bit_cast<uint32_t>(value), 0, site);
}
LK_UNWATCHED inline void red_add(uint32_t* address, uint32_t value, Site site) {
    atomic(AtomicOperation::add_u32, MemoryOrder::relaxed, address, value, 0, site);
}

uint32_t load_acquire(const uint32_t* address, Site site);
void store_release(uint32_t* address, uint32_t value, Site site);
void wait_until_equal(const uint32_t* address, uint32_t value, Site site);

}  // namespace lk::emulated
