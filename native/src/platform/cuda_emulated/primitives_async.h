// Copies that run while threads go on, and the barriers they complete on.
#pragma once

#include <cstdint>

#include "platform/cuda_emulated/site.h"
#include "platform/cuda_emulated/tensor_map.h"

namespace lk::emulated {

// ---- cp.async ----

void cp_async_bytes(void* shared, const void* global, int bytes, int source_bytes, Site site);
void cp_async_commit(Site site);
void cp_async_wait(int pending, Site site);
void cp_async_arrive(uint64_t* mbarrier, Site site);

template <int Bytes>
LK_UNWATCHED inline void cp_async(void* shared, const void* global, Site site) {
    cp_async_bytes(shared, global, Bytes, Bytes, site);
}
template <int Bytes>
LK_UNWATCHED inline void cp_async_zero_fill(void* shared, const void* global, int source_bytes, Site site) {
    cp_async_bytes(shared, global, Bytes, source_bytes, site);
}
template <int Pending>
LK_UNWATCHED inline void cp_async_wait(Site site) {
    cp_async_wait(Pending, site);
}

// ---- mbarriers ----

void mbarrier_init(uint64_t* barrier, uint32_t count, Site site);
void mbarrier_invalidate(uint64_t* barrier, Site site);
void mbarrier_arrive(uint64_t* barrier, Site site);
void mbarrier_expect_tx(uint64_t* barrier, uint32_t bytes, Site site);
void mbarrier_arrive_expect_tx(uint64_t* barrier, uint32_t bytes, Site site);
bool mbarrier_test(uint64_t* barrier, uint32_t parity, Site site);
void mbarrier_wait(uint64_t* barrier, uint32_t parity, Site site);

// ---- Fences ----

void fence_mbarrier_init(Site site);
void fence_proxy_async_shared(Site site);
void fence_proxy_async(Site site);
void fence_block(Site site);
void fence_gpu(Site site);

// ---- Bulk and tensor copies ----

void bulk_load(void* shared, const void* global, uint32_t bytes, uint64_t* mbarrier, Site site);
void bulk_store(void* global, const void* shared, uint32_t bytes, Site site);
void bulk_commit(Site site);
void bulk_wait(int pending, Site site);
void bulk_wait_read(int pending, Site site);
void bulk_prefetch(const void* global, uint32_t bytes, Site site);

template <int Pending>
LK_UNWATCHED inline void bulk_wait(Site site) {
    bulk_wait(Pending, site);
}
template <int Pending>
LK_UNWATCHED inline void bulk_wait_read(Site site) {
    bulk_wait_read(Pending, site);
}

void tensor_load_2d(void* shared, const TensorMap* map, uint64_t* mbarrier, int c0, int c1, Site site);
void tensor_load_3d(void* shared, const TensorMap* map, uint64_t* mbarrier, int c0, int c1, int c2, Site site);
void tensor_store_2d(const TensorMap* map, const void* shared, int c0, int c1, Site site);
void tensor_map_prefetch(const TensorMap* map, Site site);

}  // namespace lk::emulated
