// Physical memory of the emulated devices: pages that can be mapped to several addresses at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

namespace lk::emulated {

class PhysicalMemory {
  public:
    using Handle = unsigned long long;

    struct Block {
        int device;
        size_t bytes;
        size_t place;  // in the file that holds all of it
        int mappings = 0;
        bool released = false;  // its handle is gone; it goes with its last mapping
    };

    PhysicalMemory() = default;
    PhysicalMemory(const PhysicalMemory&) = delete;
    PhysicalMemory& operator=(const PhysicalMemory&) = delete;

    // 0 when the host has no memory left. Contents are poisoned, as those of other device memory.
    Handle create(int device, size_t bytes);
    // NULL if there is none, or its handle was released.
    Block* find(Handle handle);
    void release(Handle handle);

    // In place of what is mapped there, out of reach until it is protected otherwise.
    bool map(Handle handle, void* address);
    void unmap(Handle handle, void* address);

    // What lives, mapped or not.
    const std::map<Handle, Block>& blocks() const { return blocks_; }
    size_t bytes_of(int device) const;

  private:
    void remove_unused(Handle handle);

    int file_ = -1;
    size_t end_ = 0;                        // of the file
    std::multimap<size_t, size_t> unused_;  // places of blocks that went, by their size
    std::map<Handle, Block> blocks_;
    Handle next_ = 1;
};

}  // namespace lk::emulated
