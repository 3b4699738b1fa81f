// A warp quantizes a group: its absmax first, then its codes, a byte a lane at a time.
#include "core/dtype.h"
#include "core/memory.h"
#include "formats/nf4.h"
#include "matmul/cuda/elements.cuh"
#include "matmul/cuda/grid_size.h"
#include "platform/cuda/launch.h"
#include "platform/cuda/warp.cuh"
#include "quantize/cuda/quantize.h"

namespace lk::cuda {
namespace {

constexpr int kWarp = 32;

// The elements of a group, which may run across rows.
template <class T>
class Group {
  public:
    __device__ __forceinline__ Group(const lk_matrix& w, int64_t first)
        : w_(w), row_(first / w.columns), column_(uint32_t(first % w.columns)) {}

    __device__ __forceinline__ float operator[](int i) const {
        const uint32_t column = column_ + uint32_t(i);
        const uint32_t rows = column / uint32_t(w_.columns);
        return widen(row_of<const T>(w_, row_ + rows)[column - rows * uint32_t(w_.columns)]);
    }

  private:
    const lk_matrix& w_;
    int64_t row_;
    uint32_t column_;
};

// The code of a value, given 1 / absmax. bitsandbytes multiplies by the reciprocal; a group of zeros has none.
__device__ __forceinline__ uint32_t code_of(float value, float reciprocal) {
    return value == 0 ? nf4::kZeroCode : nf4::encode(mul_rn(value, reciprocal));
}

template <class T>
__global__ void __launch_bounds__(kWarp)
    quantize_kernel(const __grid_constant__ lk_matrix w, int64_t group_size, uint8_t* codes, float* absmax) {
    const int64_t weights = w.rows * w.columns;
    const int lane = int(lane_id());
    for (int64_t first = blockIdx.x * group_size; first < weights; first += gridDim.x * group_size) {
        const int count = weights - first < group_size ? int(weights - first) : int(group_size);
        const Group<T> group(w, first);
        float largest = 0;
        bool finite = true;
        for (int i = lane; i < count; i += kWarp) {
            const float magnitude = bits_float(float_bits(group[i]) & 0x7fffffffu);
            finite = finite && is_finite(magnitude);
            largest = magnitude > largest ? magnitude : largest;
        }
        for (uint32_t bits = 1; bits < kWarp; bits *= 2) {
            const float other = shuffle_xor(largest, bits);
            largest = other > largest ? other : largest;
        }
        finite = all(finite);
        if (lane == 0) absmax[first / group_size] = finite ? largest : bits_float(0x7fc00000u);
        if (!finite) continue;
        const float reciprocal = largest == 0 ? 0.0f : 1.0f / largest;
        for (int i = lane * 2; i < count; i += kWarp * 2) {
            const uint32_t high = code_of(group[i], reciprocal);
            const uint32_t low = i + 1 < count ? code_of(group[i + 1], reciprocal) : nf4::kZeroCode;
            codes[(first + i) / 2] = static_cast<uint8_t>(high << 4 | low);
        }
    }
}

}  // namespace

void quantize_groups(const Stream& stream, const lk_matrix& w, int64_t group_size, uint8_t* codes, float* absmax) {
    const int64_t groups = divide_up(w.rows * w.columns, group_size);
    with_dtype(w.dtype, [&]<class T>(T*) {
        launch(quantize_kernel<T>, {.grid = grid_size(groups), .block = kWarp, .stream = stream.handle()}, w,
               group_size, codes, absmax);
    });
}

}  // namespace lk::cuda
