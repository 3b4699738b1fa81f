#include "platform/cuda/mapped_memory.h"

#include "platform/cuda/capture_mode.h"
#include "platform/cuda/status.h"

namespace lk::cuda {
namespace {

CUmemAllocationProp properties_of(int device) {
    CUmemAllocationProp properties{};
    properties.type = CU_MEM_ALLOCATION_TYPE_PINNED;
    properties.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
    properties.location.id = device;
    return properties;
}

}  // namespace

int64_t mapped_page_bytes(int device) {
    int supported = 0;
    check(driver().device_attribute(&supported, CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED, device),
          "cuDeviceGetAttribute");
    if (supported == 0) return 0;
    const AllowedDuringCapture allowed;
    const CUmemAllocationProp properties = properties_of(device);
    size_t bytes = 0;
    check(driver().memory_granularity(&bytes, &properties, CU_MEM_ALLOC_GRANULARITY_MINIMUM),
          "cuMemGetAllocationGranularity");
    return int64_t(bytes);
}

PhysicalPage PhysicalPage::make(int device, int64_t bytes) {
    const AllowedDuringCapture allowed;
    const CUmemAllocationProp properties = properties_of(device);
    PhysicalPage page;
    const CUresult error = driver().memory_create(&page.handle_, size_t(bytes), &properties, 0);
    if (error == CUDA_ERROR_OUT_OF_MEMORY) return {};
    check(error, "cuMemCreate");
    return page;
}

// Errors in destructors are those of a lost device, whose memory is gone anyway.
PhysicalPage::~PhysicalPage() {
    if (handle_ == 0) return;
    const AllowedDuringCapture allowed;
    driver().memory_release(handle_);
}

MappedPages::MappedPages(int device, int64_t page_bytes, std::vector<PhysicalPage> pages)
    : page_bytes_(page_bytes), pages_(std::move(pages)) {
    if (pages_.empty()) return;
    const AllowedDuringCapture allowed;
    const size_t bytes = size_t(page_bytes) * pages_.size();
    try {
        check(driver().address_reserve(&address_, bytes, size_t(page_bytes), 0, 0), "cuMemAddressReserve");
        for (; mapped_ < pages_.size(); ++mapped_) {
            const CUdeviceptr place = address_ + mapped_ * size_t(page_bytes);
            check(driver().memory_map(place, size_t(page_bytes), 0, pages_[mapped_].handle(), 0), "cuMemMap");
        }
        CUmemAccessDesc access{};
        access.location = properties_of(device).location;
        access.flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
        check(driver().memory_set_access(address_, bytes, &access, 1), "cuMemSetAccess");
    } catch (...) {
        unmap();
        throw;
    }
}

std::vector<PhysicalPage> MappedPages::unmap() {
    std::vector<PhysicalPage> pages = std::exchange(pages_, {});
    if (address_ == 0) return pages;
    const AllowedDuringCapture allowed;
    for (; mapped_ > 0; --mapped_) {
        driver().memory_unmap(address_ + (mapped_ - 1) * size_t(page_bytes_), size_t(page_bytes_));
    }
    driver().address_free(address_, pages.size() * size_t(page_bytes_));
    address_ = 0;
    return pages;
}

}  // namespace lk::cuda
