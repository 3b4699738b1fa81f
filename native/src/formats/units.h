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

    // Whether units lie row by row with nothing between them.
    template <size_t Bytes>
    bool are_rows() const {
        return storage_.transposed_rows == 0 && storage_.block_shift == 0 && storage_.stride == int64_t(Bytes) &&
               zeros_ == nullptr;
    }
    // The units of such a row.
    template <size_t Bytes>
    const uint8_t* row(int64_t row, int64_t units_per_row) const {
        return scales_ + row * units_per_row * int64_t(Bytes);
    }

    // A unit of a row, where rows begin units. Bytes: those of a unit that lie together.
    template <size_t Bytes>
    void read(int64_t row, int64_t unit_of_row, int64_t units_per_row, uint8_t* out) const {
        const int64_t offset = storage_.transposed_rows != 0
                                   ? (unit_of_row * storage_.transposed_rows + row) * storage_.stride
                                   : storage_.offset(row * units_per_row + unit_of_row, int64_t(Bytes));
        std::memcpy(out, scales_ + offset, Bytes);
        if (zeros_ != nullptr) std::memcpy(out + Bytes, zeros_ + offset, Bytes);
    }
    // A unit is given by its number in the checkpoint.
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
