// Which context a device is opened in, and what is said where there is none.
#include "platform/cuda/device.h"

#include <thread>

#include "emulated/platform/platform_test.h"
#include "platform/cuda/driver.h"
#include "platform/cuda/stream.h"

namespace lk::test {
namespace {

using cuda::CurrentContext;
using cuda::Device;

using DeviceTest = PlatformTest;

TEST_F(DeviceTest, WithoutACurrentContextItIsThePrimaryOne) {
    Device& device = Device::open(1);
    EXPECT_EQ(current(), nullptr);
    CUcontext primary = nullptr;
    ASSERT_EQ(CUDA_SUCCESS, cuDevicePrimaryCtxRetain(&primary, 1));
    EXPECT_EQ(device.context(), primary);
    EXPECT_EQ(device.index(), 1);
    ASSERT_EQ(CUDA_SUCCESS, cuDevicePrimaryCtxRelease(1));
}

TEST_F(DeviceTest, IsTheSameOneEachTime) {
    EXPECT_EQ(&Device::open(0), &Device::open(0));
    EXPECT_NE(&Device::open(0), &Device::open(1));
}

TEST_F(DeviceTest, OpeningTwiceRetainsOnce) {
    Device::open(1);
    Device::open(1);
    CUcontext primary = nullptr;
    ASSERT_EQ(CUDA_SUCCESS, cuDevicePrimaryCtxRetain(&primary, 1));
    ASSERT_EQ(CUDA_SUCCESS, cuDevicePrimaryCtxRelease(1));
    ASSERT_EQ(CUDA_SUCCESS, cuDevicePrimaryCtxRelease(1));  // the library's; nobody retains it any more
    EXPECT_EQ(CUDA_ERROR_INVALID_CONTEXT, cuDevicePrimaryCtxRelease(1));
}

TEST_F(DeviceTest, ACurrentContextOfTheDeviceIsTaken) {
    const HostContext host(1);
    EXPECT_EQ(Device::open(1).context(), host.handle());
    EXPECT_NE(Device::open(0).context(), host.handle());  // it is of another device
    EXPECT_EQ(current(), host.handle());
}

TEST_F(DeviceTest, AContextInAnOldOnesPlaceIsAnotherDevice) {
    const Device* first = nullptr;
    {
        const HostContext host(0);
        first = &Device::open(0);
    }
    const HostContext host(0);
    EXPECT_NE(&Device::open(0), first);
}

TEST_F(DeviceTest, AStreamBringsItsContext) {
    cudaStream_t stream = nullptr;
    const HostContext host(1);
    ASSERT_EQ(cudaSuccess, cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    {
        const HostContext other(0);
        EXPECT_EQ(Device::of_stream(stream, 1).context(), host.handle());
        EXPECT_EQ(current(), other.handle());
        expect_error(LK_INVALID_ARGUMENT, "options.stream: belongs to device 1, options.device_index is 0",
                     [&] { Device::of_stream(stream, 0); });
        EXPECT_EQ(current(), other.handle());
    }
    expect_error(LK_INVALID_ARGUMENT, "options.stream: is ",
                 [&] { Device::of_stream(reinterpret_cast<cudaStream_t>(0x10), 1); });
}

TEST_F(DeviceTest, TheCallersContextIsCurrentAgain) {
    Device& device = Device::open(0);
    {
        const CurrentContext guard(device);
        EXPECT_EQ(current(), device.context());
        const CurrentContext again(device);
        EXPECT_EQ(current(), device.context());
    }
    EXPECT_EQ(current(), nullptr);
    const HostContext host(1);
    try {
        const CurrentContext guard(device);
        throw 1;
    } catch (int) {
    }
    EXPECT_EQ(current(), host.handle());
}

TEST_F(DeviceTest, DescribesItself) {
    const cuda::DeviceFacts facts = cuda::device_facts(1);
    lk_device_info info{};
    cuda::describe(facts, 1, info);
    EXPECT_EQ(info.kind, LK_DEVICE_EMULATED);
    EXPECT_EQ(info.index, 1);
    EXPECT_EQ(info.memory_bytes, 1 << 30);
    EXPECT_STREQ(info.isa, "sm_90");
    EXPECT_EQ(std::string(info.name).rfind("emulated device 1", 0), 0u) << info.name;
    EXPECT_EQ(facts.shared_bytes_per_block, 227 * 1024);
    EXPECT_EQ(current(), nullptr);
}

TEST_F(DeviceTest, SaysWhyThereIsNone) {
    const auto expect_none = [](const char* settings, lk_status status, const char* why) {
        ASSERT_EQ(LK_OK, lk_emulated_configure_text(settings));
        expect_error(status, why, [] { Device::open(0); });
        EXPECT_EQ(cudaGetLastError(), cudaSuccess);
    };
    expect_error(LK_DEVICE_UNAVAILABLE, "there are 2, numbered from 0", [] { Device::open(2); });
    expect_none("devices=0", LK_DEVICE_UNAVAILABLE, "CUDA device 0: the NVIDIA driver sees no device");
    expect_none("driver=0", LK_DEVICE_UNAVAILABLE, "no NVIDIA driver is installed");
    expect_none("driver=11080", LK_DRIVER_TOO_OLD, "supports CUDA 11.8, this library was built with CUDA 12.4");
    lk_status status = LK_OK;
    std::string why;
    EXPECT_EQ(cuda::visible_devices(&status, &why), 0);
    EXPECT_EQ(cuda::visible_devices(), 0);
    EXPECT_EQ(status, LK_DRIVER_TOO_OLD);
}

TEST_F(DeviceTest, ALostDeviceIsSaidToBeLost) {
    Device& device = Device::open(0);
    cuda::Stream stream(device);
    {
        const CurrentContext guard(device);
        void* memory = nullptr;
        ASSERT_EQ(cudaSuccess, cudaMalloc(&memory, 16));
        ASSERT_EQ(LK_OK, lk_emulated_fail_next(LK_EMULATED_LOST_DEVICE));
        ASSERT_EQ(cudaSuccess, cudaMemsetAsync(memory, 0, 16, stream.handle()));
        expect_error(LK_DEVICE_LOST, "every further call on it fails until the process ends",
                     [&] { stream.synchronize(); });
        expect_error(LK_DEVICE_LOST, "cudaErrorECCUncorrectable", [&] { stream.synchronize(); });
    }
    expect_error(LK_DEVICE_LOST, "cudaErrorECCUncorrectable", [&] { cuda::Event event(device); });
    EXPECT_NE(&Device::open(1), &device);  // other devices go on
    ASSERT_EQ(LK_OK, lk_emulated_reset());
    cuda::Stream fresh(Device::open(0));
}

}  // namespace
}  // namespace lk::test
