// Physical pages of device memory, and the addresses that they are mapped to: CUDA's virtual memory management.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "platform/cuda/driver.h"

namespace lk::cuda {

// 0 where a device cannot map memory, else the size of its pages.
int64_t mapped_page_bytes(int device);

// One page, owned. It is no memory of a CUDA context, and may be released with any context current, or none.
class PhysicalPage {
  public:
    PhysicalPage() = default;
    PhysicalPage(PhysicalPage&& other) noexcept : handle_(std::exchange(other.handle_, 0)) {}
    PhysicalPage& operator=(PhysicalPage&& other) noexcept {
        std::swap(handle_, other.handle_);
        return *this;
    }
    ~PhysicalPage();

    // An empty one where the device has no memory left.
    static PhysicalPage make(int device, int64_t bytes);

    explicit operator bool() const { return handle_ != 0; }
    CUmemGenericAllocationHandle handle() const { return handle_; }

  private:
    CUmemGenericAllocationHandle handle_ = 0;
};

// Pages at consecutive addresses, where the device may read and write them. Nothing waits for the work that uses them.
class MappedPages {
  public:
    MappedPages() = default;
    // Takes the pages. If it throws they are gone.
    MappedPages(int device, int64_t page_bytes, std::vector<PhysicalPage> pages);
    MappedPages(MappedPages&& other) noexcept { swap(other); }
    MappedPages& operator=(MappedPages&& other) noexcept {
        swap(other);
        return *this;
    }
    ~MappedPages() { unmap(); }

    char* data() const { return reinterpret_cast<char*>(address_); }
    // The pages are mapped nowhere then.
    std::vector<PhysicalPage> unmap();

  private:
    void swap(MappedPages& other) noexcept {
        std::swap(page_bytes_, other.page_bytes_);
        std::swap(address_, other.address_);
        std::swap(mapped_, other.mapped_);
        std::swap(pages_, other.pages_);
    }

    int64_t page_bytes_ = 0;
    CUdeviceptr address_ = 0;
    size_t mapped_ = 0;
    std::vector<PhysicalPage> pages_;
};

}  // namespace lk::cuda
