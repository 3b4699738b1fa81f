#include "platform/cuda_emulated/physical_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "platform/cuda_emulated/device_memory.h"

namespace lk::emulated {

PhysicalMemory::Handle PhysicalMemory::create(int device, size_t bytes) {
    if (file_ < 0) file_ = memfd_create("lorakernels emulated memory", MFD_CLOEXEC);
    if (file_ < 0) return 0;
    size_t place = end_;
    if (const auto unused = unused_.find(bytes); unused != unused_.end()) {
        place = unused->second;
        unused_.erase(unused);
    } else {
        if (ftruncate(file_, off_t(end_ + bytes)) != 0) return 0;
        end_ += bytes;
    }
    void* const contents = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_, off_t(place));
    if (contents == MAP_FAILED) {
        unused_.emplace(bytes, place);
        return 0;
    }
    std::memset(contents, device_poison, bytes);
    munmap(contents, bytes);
    blocks_.emplace(next_, Block{device, bytes, place});
    return next_++;
}

PhysicalMemory::Block* PhysicalMemory::find(Handle handle) {
    const auto found = blocks_.find(handle);
    return found == blocks_.end() || found->second.released ? nullptr : &found->second;
}

void PhysicalMemory::release(Handle handle) {
    blocks_.at(handle).released = true;
    remove_unused(handle);
}

bool PhysicalMemory::map(Handle handle, void* address) {
    Block& block = blocks_.at(handle);
    if (mmap(address, block.bytes, PROT_NONE, MAP_SHARED | MAP_FIXED, file_, off_t(block.place)) == MAP_FAILED) {
        return false;
    }
    ++block.mappings;
    return true;
}

void PhysicalMemory::unmap(Handle handle, void* address) {
    Block& block = blocks_.at(handle);
    mmap(address, block.bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    --block.mappings;
    remove_unused(handle);
}

void PhysicalMemory::remove_unused(Handle handle) {
    const Block& block = blocks_.at(handle);
    if (!block.released || block.mappings > 0) return;
    fallocate(file_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off_t(block.place), off_t(block.bytes));
    unused_.emplace(block.bytes, block.place);
    blocks_.erase(handle);
}

size_t PhysicalMemory::bytes_of(int device) const {
    size_t sum = 0;
    for (const auto& [_, block] : blocks_) sum += block.device == device ? block.bytes : 0;
    return sum;
}

}  // namespace lk::emulated
