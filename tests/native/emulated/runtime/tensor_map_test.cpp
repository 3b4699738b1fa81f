// cuTensorMapEncodeTiled refuses what CUDA refuses, and make_tensor_map fills it in.
#include "platform/cuda/tensor_map.h"

#include "core/error.h"
#include "emulated/runtime/machine_test.h"

namespace lk::test {
namespace {

class TensorMapTest : public RuntimeTest {
  protected:
    void SetUp() override {
        RuntimeTest::SetUp();
        layout_.data = device_ints(4096);
        layout_.type = CU_TENSOR_MAP_DATA_TYPE_FLOAT16;
        layout_.columns = 60;
        layout_.rows = 10;
        layout_.row_bytes = 128;
        layout_.box_columns = 32;
        layout_.box_rows = 8;
    }
    template <class Change>
    void expect_refused(Change change) {
        cuda::TensorLayout layout = layout_;
        change(layout);
        try {
            const cuda::TensorMap map = cuda::make_tensor_map(layout);
            ADD_FAILURE() << "accepted; rank " << map.rank;
        } catch (const Error& error) {
            EXPECT_NE(std::string(error.what()).find("cuTensorMapEncodeTiled refuses"), std::string::npos);
        }
    }

    cuda::TensorLayout layout_;
};

TEST_F(TensorMapTest, TellsTheDeviceWhatItWasGiven) {
    layout_.slices = 3;
    layout_.slice_bytes = 2048;
    layout_.box_slices = 2;
    layout_.swizzle = CU_TENSOR_MAP_SWIZZLE_64B;
    const cuda::TensorMap map = cuda::make_tensor_map(layout_);
    EXPECT_EQ(map.data, layout_.data);
    EXPECT_EQ(map.rank, 3u);
    EXPECT_EQ(map.element_bytes, 2u);
    EXPECT_EQ(map.extents[0], 60u);
    EXPECT_EQ(map.extents[1], 10u);
    EXPECT_EQ(map.extents[2], 3u);
    EXPECT_EQ(map.strides[1], 128u);
    EXPECT_EQ(map.strides[2], 2048u);
    EXPECT_EQ(map.box[0], 32u);
    EXPECT_EQ(map.box[2], 2u);
    EXPECT_EQ(map.swizzle_bytes, 64u);
    layout_.slices = 1;
    layout_.swizzle = CU_TENSOR_MAP_SWIZZLE_NONE;
    const cuda::TensorMap flat = cuda::make_tensor_map(layout_);
    EXPECT_EQ(flat.rank, 2u);
    EXPECT_EQ(flat.swizzle_bytes, 0u);
}

TEST_F(TensorMapTest, RefusesWhatCudaRefuses) {
    const cuda::TensorMap accepted = cuda::make_tensor_map(layout_);
    EXPECT_EQ(accepted.rank, 2u);
    using Layout = cuda::TensorLayout;
    expect_refused([](Layout& l) { l.data = static_cast<const char*>(l.data) + 8; });
    expect_refused([](Layout& l) { l.columns = 0; });
    expect_refused([](Layout& l) { l.rows = (uint64_t(1) << 32) + 1; });
    expect_refused([](Layout& l) { l.row_bytes = 136; });
    expect_refused([](Layout& l) { l.row_bytes = 112; });  // shorter than a row
    expect_refused([](Layout& l) { l.row_bytes = uint64_t(1) << 40; });
    expect_refused([](Layout& l) { l.box_rows = 0; });
    expect_refused([](Layout& l) { l.box_rows = 257; });
    expect_refused([](Layout& l) { l.box_columns = 12; });  // 24 bytes
    expect_refused([](Layout& l) { l.swizzle = CU_TENSOR_MAP_SWIZZLE_32B; });
}

}  // namespace
}  // namespace lk::test
