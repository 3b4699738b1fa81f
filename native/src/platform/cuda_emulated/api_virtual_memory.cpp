// Physical memory, addresses, and the mappings between them.
#include <sys/mman.h>

#include <bit>

#include "platform/cuda_emulated/call.h"
#include "platform/cuda_emulated/cuda_virtual_memory.h"
#include "platform/cuda_emulated/device_memory.h"

using namespace lk::emulated;

namespace {

// These calls allocate and free: a capture forbids them as it forbids cudaMalloc.
template <class Body>
CUresult memory_call(Body body) {
    return driver_call([&](Machine& machine, std::vector<CUcontext>&) -> CUresult {
        if (machine.settings.page_bytes == 0) return CUDA_ERROR_NOT_SUPPORTED;
        if (forbidden_by_capture(machine)) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
        return body(machine);
    });
}

bool are_properties(const Machine& machine, const CUmemAllocationProp* properties) {
    return properties != nullptr && properties->type == CU_MEM_ALLOCATION_TYPE_PINNED &&
           properties->location.type == CU_MEM_LOCATION_TYPE_DEVICE && is_device(machine, properties->location.id);
}

bool is_whole(const Machine& machine, unsigned long long value) {
    return value % size_t(machine.settings.page_bytes) == 0;
}

char* pointer(CUdeviceptr address) {
    return reinterpret_cast<char*>(address);
}

// The reserved addresses that have all of these; NULL if there are none.
Allocation* find_reserved(CUdeviceptr address, size_t bytes) {
    Allocation* const found = find_allocation(pointer(address));
    if (found == nullptr || !found->reserved) return nullptr;
    return size_t(pointer(address) - found->data) + bytes <= found->bytes ? found : nullptr;
}

}  // namespace

CUresult cuMemGetAllocationGranularity(size_t* bytes, const CUmemAllocationProp* properties,
                                       CUmemAllocationGranularity_flags) {
    return memory_call([&](Machine& machine) {
        if (!are_properties(machine, properties)) return CUDA_ERROR_INVALID_VALUE;
        *bytes = size_t(machine.settings.page_bytes);
        return CUDA_SUCCESS;
    });
}

CUresult cuMemCreate(CUmemGenericAllocationHandle* handle, size_t bytes, const CUmemAllocationProp* properties,
                     unsigned long long flags) {
    return memory_call([&](Machine& machine) {
        if (!are_properties(machine, properties) || flags != 0 || bytes == 0 || !is_whole(machine, bytes)) {
            return CUDA_ERROR_INVALID_VALUE;
        }
        if (machine.take_failure(LK_EMULATED_OUT_OF_MEMORY)) return CUDA_ERROR_OUT_OF_MEMORY;
        const int device = properties->location.id;
        if (machine.memory_bytes_of(device) + bytes > size_t(machine.settings.memory_bytes)) {
            return CUDA_ERROR_OUT_OF_MEMORY;
        }
        *handle = machine.physical.create(device, bytes);
        if (*handle == 0) return CUDA_ERROR_OUT_OF_MEMORY;
        ++machine.statistics.allocations;
        return CUDA_SUCCESS;
    });
}

CUresult cuMemRelease(CUmemGenericAllocationHandle handle) {
    return memory_call([&](Machine& machine) {
        if (machine.physical.find(handle) == nullptr) return CUDA_ERROR_INVALID_VALUE;
        machine.physical.release(handle);
        return CUDA_SUCCESS;
    });
}

CUresult cuMemAddressReserve(CUdeviceptr* address, size_t bytes, size_t alignment, CUdeviceptr, unsigned long long) {
    return memory_call([&](Machine& machine) {
        if (bytes == 0 || !is_whole(machine, bytes) || (alignment & (alignment - 1)) != 0) {
            return CUDA_ERROR_INVALID_VALUE;
        }
        void* const first = reserve_addresses(bytes, std::max(alignment, size_t(machine.settings.page_bytes)));
        if (first == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
        *address = reinterpret_cast<CUdeviceptr>(first);
        return CUDA_SUCCESS;
    });
}

CUresult cuMemAddressFree(CUdeviceptr address, size_t bytes) {
    return memory_call([&](Machine&) {
        const Allocation* const range = find_reserved(address, bytes);
        if (range == nullptr || range->data != pointer(address) || range->bytes != bytes || !range->mappings.empty()) {
            return CUDA_ERROR_INVALID_VALUE;
        }
        release_device_memory(range->data);
        return CUDA_SUCCESS;
    });
}

CUresult cuMemMap(CUdeviceptr address, size_t bytes, size_t offset, CUmemGenericAllocationHandle handle,
                  unsigned long long flags) {
    return memory_call([&](Machine& machine) {
        Allocation* const range = find_reserved(address, bytes);
        const PhysicalMemory::Block* const block = machine.physical.find(handle);
        if (range == nullptr || block == nullptr || bytes != block->bytes || offset != 0 || flags != 0 ||
            !is_whole(machine, address)) {
            return CUDA_ERROR_INVALID_VALUE;
        }
        const auto first = size_t(pointer(address) - range->data);
        const auto next = range->mappings.lower_bound(first);
        if (next != range->mappings.end() && next->first < first + bytes) return CUDA_ERROR_INVALID_VALUE;
        if (next != range->mappings.begin()) {
            const auto& [before, mapping] = *std::prev(next);
            if (before + mapping.bytes > first) return CUDA_ERROR_INVALID_VALUE;
        }
        if (!machine.physical.map(handle, pointer(address))) return CUDA_ERROR_OUT_OF_MEMORY;
        range->mappings[first] = {bytes, handle, -1};
        forget_contents(*range, first, bytes);
        return CUDA_SUCCESS;
    });
}

// Does not wait: work that still uses the memory has lost it when it runs.
CUresult cuMemUnmap(CUdeviceptr address, size_t bytes) {
    return memory_call([&](Machine& machine) {
        Allocation* const range = find_reserved(address, bytes);
        if (range == nullptr) return CUDA_ERROR_INVALID_VALUE;
        const auto mapping = range->mappings.find(size_t(pointer(address) - range->data));
        if (mapping == range->mappings.end() || mapping->second.bytes != bytes) return CUDA_ERROR_INVALID_VALUE;
        machine.physical.unmap(mapping->second.physical, pointer(address));
        range->mappings.erase(mapping);
        return CUDA_SUCCESS;
    });
}

CUresult cuMemSetAccess(CUdeviceptr address, size_t bytes, const CUmemAccessDesc* access, size_t count) {
    return memory_call([&](Machine& machine) {
        Allocation* const range = find_reserved(address, bytes);
        if (range == nullptr || access == nullptr || count != 1 ||
            access->location.type != CU_MEM_LOCATION_TYPE_DEVICE || !is_device(machine, access->location.id)) {
            return CUDA_ERROR_INVALID_VALUE;
        }
        const auto end = size_t(pointer(address) - range->data) + bytes;
        for (size_t at = end - bytes; at < end;) {
            const auto mapping = range->mappings.find(at);
            if (mapping == range->mappings.end()) return CUDA_ERROR_INVALID_VALUE;
            at += mapping->second.bytes;
            if (at > end) return CUDA_ERROR_INVALID_VALUE;
        }
        const bool enabled = access->flags == CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
        mprotect(pointer(address), bytes, enabled ? PROT_READ | PROT_WRITE : PROT_NONE);
        for (auto mapping = range->mappings.find(end - bytes); mapping != range->mappings.end() && mapping->first < end;
             ++mapping) {
            mapping->second.device = enabled ? access->location.id : -1;
        }
        return CUDA_SUCCESS;
    });
}
