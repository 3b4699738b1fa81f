// What memory has to deliver behind an L2 cache: an emulated device's accesses in their order, through lines of 128
// bytes of which the least recently used one leaves, a sector of 32 bytes at a time. All of the cache is everybody's;
// hints are not heeded.
#pragma once

#include <list>
#include <unordered_map>

#include "platform/cuda_emulated/device_memory.h"
#include "platform/cuda_emulated/options.h"

namespace lk::cuda::testing {

class L2Model : public emulated::AccessObserver {
  public:
    explicit L2Model(size_t bytes) : most_lines_(bytes / kLine) {}

    void see(const emulated::Allocation& allocation, size_t first_byte, uint32_t bytes) override {
        uint64_t& delivered = delivered_[allocation.id];
        for (size_t sector = first_byte / kSector; sector <= (first_byte + bytes - 1) / kSector; ++sector) {
            delivered += touch({allocation.id, sector / kSectors}, uint8_t(1u << sector % kSectors));
        }
    }

    // Bytes of the memory that holds this address.
    uint64_t delivered_of(const void* memory) const {
        const auto found = delivered_.find(emulated::find_allocation(memory)->id);
        return found == delivered_.end() ? 0 : found->second;
    }

  private:
    static constexpr size_t kLine = 128;
    static constexpr size_t kSector = 32;
    static constexpr size_t kSectors = kLine / kSector;

    struct Line {
        uint64_t allocation;
        size_t number;
        bool operator==(const Line&) const = default;
    };
    struct Hash {
        size_t operator()(const Line& line) const { return line.allocation * 0x9E3779B97F4A7C15ull ^ line.number; }
    };
    struct Entry {
        std::list<Line>::iterator place;
        uint8_t sectors = 0;
    };

    uint64_t touch(const Line& line, uint8_t sector) {
        auto found = lines_.find(line);
        if (found == lines_.end()) {
            if (lines_.size() == most_lines_) {
                lines_.erase(by_use_.back());
                by_use_.pop_back();
            }
            by_use_.push_front(line);
            found = lines_.emplace(line, Entry{by_use_.begin()}).first;
        } else {
            by_use_.splice(by_use_.begin(), by_use_, found->second.place);
        }
        const bool missed = (found->second.sectors & sector) == 0;
        found->second.sectors |= sector;
        return missed ? kSector : 0;
    }

    size_t most_lines_;
    std::list<Line> by_use_;
    std::unordered_map<Line, Entry, Hash> lines_;
    std::unordered_map<uint64_t, uint64_t> delivered_;
};

}  // namespace lk::cuda::testing
