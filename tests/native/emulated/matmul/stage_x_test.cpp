// Copies of x for tensor-core kernels, on the emulated device.
#include "matmul/cuda/stage_x.h"

#include "matmul/sample_weight.h"
#include "platform/platform_test.h"

namespace lk::cuda::testing {
namespace {

class StageX : public test::PlatformTest {};

// Device memory of the stream's context, which is current.
template <class T>
class DeviceVector {
  public:
    DeviceVector(const Stream& stream, const std::vector<T>& values) : stream_(stream), size_(values.size()) {
        EXPECT_EQ(cudaMalloc(&data_, size_ * sizeof(T)), cudaSuccess);
        copy(data_, values.data(), cudaMemcpyHostToDevice);
    }
    ~DeviceVector() { EXPECT_EQ(cudaFree(data_), cudaSuccess); }
    DeviceVector(const DeviceVector&) = delete;
    DeviceVector& operator=(const DeviceVector&) = delete;

    T* data() const { return static_cast<T*>(data_); }
    std::vector<T> read() const {
        std::vector<T> values(size_);
        copy(values.data(), data_, cudaMemcpyDeviceToHost);
        return values;
    }

  private:
    void copy(void* to, const void* from, cudaMemcpyKind kind) const {
        EXPECT_EQ(cudaMemcpyAsync(to, from, size_ * sizeof(T), kind, stream_.handle()), cudaSuccess);
        stream_.synchronize();
    }

    const Stream& stream_;
    void* data_ = nullptr;
    size_t size_;
};

FragmentView view_of(int64_t in_features, const int32_t* order) {
    lk_weight weight;
    weight.tensors.out_features = 1;
    weight.tensors.in_features = in_features;
    weight.codec.group_size = 32;
    FragmentView view(weight);
    view.order = order;
    return view;
}

template <class E>
void expect_copy(lk_dtype dtype, int64_t rows, int64_t columns, int64_t stride, int64_t offset, bool in_order) {
    SCOPED_TRACE(std::to_string(columns) + " columns, stride " + std::to_string(stride));
    Device& device = Device::open(0);
    const CurrentContext current(device);
    const Stream stream(device);
    std::vector<E> elements;
    for (int64_t i = 0; i < offset + rows * stride; ++i) elements.push_back(E(i + 1));
    std::vector<int32_t> order;
    for (int64_t k = 0; k < columns; ++k) order.push_back(int32_t((k * 7 + 3) % columns));  // 7 divides no columns here
    const DeviceVector<E> source(stream, elements);
    const DeviceVector<int32_t> device_order(stream, order);
    const FragmentView view = view_of(columns, in_order ? nullptr : device_order.data());
    const lk_matrix x{source.data() + offset, rows, columns, stride, dtype, 0};
    ASSERT_TRUE(needs_staging(view, x));
    const int64_t padded = round_up(columns, 32);
    ASSERT_EQ(staged_bytes(view, x), rows * padded * int64_t(sizeof(E)));
    const DeviceVector<E> staged(stream, std::vector<E>(size_t(rows * padded), E(0x77)));
    const Tokens tokens = stage_x(stream, view, x, staged.data());
    EXPECT_EQ(tokens.data, staged.data());
    EXPECT_EQ(tokens.row_bytes, padded * int64_t(sizeof(E)));
    EXPECT_EQ(tokens.count, rows);
    const std::vector<E> copied = staged.read();
    for (int64_t r = 0; r < rows; ++r) {
        for (int64_t k = 0; k < padded; ++k) {
            const int64_t from = k < columns && !in_order ? order[size_t(k)] : k;
            const E expected = k < columns ? elements[size_t(offset + r * stride + from)] : E(0);
            ASSERT_EQ(copied[size_t(r * padded + k)], expected) << "row " << r << ", k " << k;
        }
    }
}

TEST_F(StageX, AlignsPadsAndGathers) {
    expect_copy<uint16_t>(LK_DTYPE_F16, 3, 161, 165, 0, true);
    expect_copy<uint16_t>(LK_DTYPE_BF16, 5, 64, 72, 1, true);
    expect_copy<uint16_t>(LK_DTYPE_F16, 2, 96, 96, 0, false);
    expect_copy<uint32_t>(LK_DTYPE_F32, 3, 33, 40, 0, true);
    expect_copy<uint32_t>(LK_DTYPE_F32, 2, 160, 160, 0, false);
}

TEST_F(StageX, LeavesGoodRowsAlone) {
    alignas(16) static uint16_t elements[4 * 72];
    const FragmentView view = view_of(64, nullptr);
    EXPECT_FALSE(needs_staging(view, {elements, 4, 64, 72, LK_DTYPE_F16, 0}));
    EXPECT_FALSE(needs_staging(view, {elements, 1, 64, 65, LK_DTYPE_F16, 0}));  // there is no second row
    EXPECT_TRUE(needs_staging(view, {elements, 2, 64, 65, LK_DTYPE_F16, 0}));
    EXPECT_TRUE(needs_staging(view, {elements + 1, 1, 64, 64, LK_DTYPE_F16, 0}));
    EXPECT_EQ(staged_bytes(view, {elements, 4, 64, 72, LK_DTYPE_F16, 0}), 0);
}

}  // namespace
}  // namespace lk::cuda::testing
