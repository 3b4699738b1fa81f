// Units of scales in a checkpoint, on the host.
#pragma once

#include <cstring>

#include "formats/format.h"

namespace lk {

class Units {
  public:
    Units(const Format& format, const Codec& codec, const lk_weight_tensors& tensors)
        : storage_(format.storage(tensors).units),
          scales_(static_cast<uint8_t*>(storage_.among_codes ? tensors.codes.data : tensors.scales.data)),
          zeros_(codec.has_zero_units() ? static_cast<uint8_t*>(tensors.zero_points.data) : nullptr),
          part_bytes_(size_t(codec.unit_part_bytes())) {}

    // A unit is given by its number in the checkpoint.
    void read(int64_t unit, uint8_t* out) const {
        const int64_t offset = storage_.offset(unit, int64_t(part_bytes_));
        std::memcpy(out, scales_ + offset, part_bytes_);
        if (zeros_ != nullptr) std::memcpy(out + part_bytes_, zeros_ + offset, part_bytes_);
    }
    void write(int64_t unit, const uint8_t* in) const {
        const int64_t offset = storage_.offset(unit, int64_t(part_bytes_));
        std::memcpy(scales_ + offset, in, part_bytes_);
        if (zeros_ != nullptr) std::memcpy(zeros_ + offset, in + part_bytes_, part_bytes_);
    }

  private:
    UnitStorage storage_;
    uint8_t* scales_;
    uint8_t* zeros_;  // or NULL
    size_t part_bytes_;
};

}  // namespace lk
