// Device memory from cudaMalloc and from a host's hook, and page-locked memory.
#include "core/memory.h"

#include <cstring>
#include <map>
#include <optional>
#include <thread>

#include "emulated/platform/platform_test.h"
#include "platform/cuda/graph.h"
#include "platform/cuda/hook_allocator.h"
#include "platform/cuda/pinned.h"

namespace lk::test {
namespace {

using cuda::CurrentContext;
using cuda::Device;
using cuda::Stream;

class MemoryOfDeviceTest : public PlatformTest {
  protected:
    void SetUp() override {
        PlatformTest::SetUp();
        device_ = &Device::open(0);
        live_before_ = statistics().live_bytes;
    }
    void TearDown() override {
        EXPECT_EQ(live(), 0);
        PlatformTest::TearDown();
    }
    int64_t live() const { return statistics().live_bytes - live_before_; }

    Device* device_ = nullptr;
    int64_t live_before_ = 0;
};

TEST_F(MemoryOfDeviceTest, AnyThreadAllocatesAndReleases) {
    void* memory = nullptr;
    std::thread([&] { memory = device_->allocator().allocate(device_->allocator().user, 1000, 4096); }).join();
    ASSERT_NE(memory, nullptr);
    EXPECT_EQ(live(), 1000);
    const HostContext host(1);  // another context is current
    device_->allocator().release(device_->allocator().user, memory, 1000);
    EXPECT_EQ(current(), host.handle());
}

TEST_F(MemoryOfDeviceTest, OutOfMemoryIsNull) {
    ASSERT_EQ(LK_OK, lk_emulated_fail_next(LK_EMULATED_OUT_OF_MEMORY));
    expect_error(LK_OUT_OF_MEMORY, "a test", [&] { const Block block(device_->allocator(), 16, 64, "a test"); });
    const Block block(device_->allocator(), 16, 64, "a test");
}

TEST_F(MemoryOfDeviceTest, ReleaseWaitsForEnqueuedWork) {
    Stream stream(*device_);
    cuda::PinnedBlock host(*device_, 16, "a test");
    {
        const Block block(device_->allocator(), 16, 64, "a test");
        const CurrentContext guard(*device_);
        ASSERT_EQ(cudaSuccess, cudaMemsetAsync(block.data(), 5, 16, stream.handle()));
        ASSERT_EQ(cudaSuccess, cudaMemcpyAsync(host.data(), block.data(), 16, cudaMemcpyDeviceToHost, stream.handle()));
    }
    EXPECT_EQ(host.data()[15], 5);
}

TEST_F(MemoryOfDeviceTest, ReleaseDuringACaptureWaitsForItsEnd) {
    Stream stream(*device_);
    const CurrentContext guard(*device_);
    {
        cuda::Capture capture(stream);
        { const Block block(device_->allocator(), 16, 64, "a test"); }
        EXPECT_EQ(live(), 16);
        capture.finish();
    }
    EXPECT_EQ(live(), 0);
    {
        const cuda::Capture abandoned(stream);
        { const Block block(device_->allocator(), 16, 64, "a test"); }
        EXPECT_EQ(live(), 16);
    }
    EXPECT_EQ(live(), 0);
}

// A host's pool of device memory; it notices what it gets back, and when.
struct HostPool {
    Device* device;
    std::map<void*, int64_t> out;
    int64_t released = 0;
    bool full = false;

    lk_allocator allocator() {
        return {this,
                [](void* user, int64_t bytes, int64_t alignment) -> void* {
                    auto& pool = *static_cast<HostPool*>(user);
                    if (pool.full) return nullptr;
                    const lk_allocator memory = pool.device->allocator();
                    void* const block = memory.allocate(memory.user, bytes, alignment);
                    pool.out[block] = bytes;
                    return block;
                },
                [](void* user, void* memory, int64_t bytes) {
                    auto& pool = *static_cast<HostPool*>(user);
                    EXPECT_EQ(pool.out.at(memory), bytes);
                    pool.out.erase(memory);
                    ++pool.released;
                    // Handed to somebody else at once: what is still enqueued would overwrite theirs.
                    const CurrentContext guard(*pool.device);
                    std::vector<char> contents(static_cast<size_t>(bytes));
                    Stream stream(*pool.device);
                    EXPECT_EQ(cudaSuccess, cudaMemcpyAsync(contents.data(), memory, contents.size(),
                                                           cudaMemcpyDeviceToHost, stream.handle()));
                    pool.last_byte = contents.back();
                    const lk_allocator allocator = pool.device->allocator();
                    allocator.release(allocator.user, memory, bytes);
                }};
    }
    char last_byte = 0;
};

TEST_F(MemoryOfDeviceTest, AHooksBlockGoesBackWhenWorkIsDone) {
    HostPool pool{device_, {}};
    const auto hook = std::make_shared<cuda::HookAllocator>(*device_, pool.allocator());
    Stream stream(*device_);
    for (int seed = 0; seed < 10; ++seed) {
        ASSERT_EQ(LK_OK, lk_emulated_configure_text(("seed=" + std::to_string(seed)).c_str()));
        const Block block(hook->allocator(), 16, 64, "a test");
        const CurrentContext guard(*device_);
        ASSERT_EQ(cudaSuccess, cudaMemsetAsync(block.data(), 1 + seed, 16, stream.handle()));
    }
    EXPECT_EQ(pool.released, 10);
    EXPECT_EQ(pool.last_byte, 10);
}

TEST_F(MemoryOfDeviceTest, AHooksBlockOutlivesItsOwner) {
    HostPool pool{device_, {}};
    auto hook = std::make_shared<cuda::HookAllocator>(*device_, pool.allocator());
    const std::weak_ptr<cuda::HookAllocator> watch = hook;
    {
        const Block block(hook->allocator(), 16, 64, "a test");
        hook = nullptr;
        EXPECT_FALSE(watch.expired());
    }
    EXPECT_TRUE(watch.expired());
    EXPECT_EQ(pool.released, 1);
}

TEST_F(MemoryOfDeviceTest, AHookThatHasNothingIsOutOfMemory) {
    HostPool pool{device_, {}};
    pool.full = true;
    const auto hook = std::make_shared<cuda::HookAllocator>(*device_, pool.allocator());
    expect_error(LK_OUT_OF_MEMORY, "a test", [&] { const Block block(hook->allocator(), 16, 64, "a test"); });
}

TEST_F(MemoryOfDeviceTest, AHooksBlockWaitsForTheEndOfACapture) {
    HostPool pool{device_, {}};
    const auto hook = std::make_shared<cuda::HookAllocator>(*device_, pool.allocator());
    Stream stream(*device_);
    Block block(hook->allocator(), 16, 64, "a test");
    const CurrentContext guard(*device_);
    ASSERT_EQ(cudaSuccess, cudaMemsetAsync(block.data(), 1, 16, stream.handle()));
    {
        cuda::Capture capture(stream);
        block = Block();
        EXPECT_EQ(pool.released, 0);
        capture.finish();
    }
    EXPECT_EQ(pool.released, 1);
}

// The host captures the stream that it has lent: waiting for it would end that capture.
TEST_F(MemoryOfDeviceTest, AHooksBlockIsKeptWhileTheHostCaptures) {
    HostPool pool{device_, {}};
    const auto hook = std::make_shared<cuda::HookAllocator>(*device_, pool.allocator());
    Stream stream(*device_);
    Block block(hook->allocator(), 16, 64, "a test");
    Block later(hook->allocator(), 16, 64, "a test");
    const CurrentContext guard(*device_);
    ASSERT_EQ(cudaSuccess, cudaStreamBeginCapture(stream.handle(), cudaStreamCaptureModeGlobal));
    ASSERT_EQ(cudaSuccess, cudaMemsetAsync(block.data(), 1, 16, stream.handle()));
    block = Block();
    EXPECT_EQ(pool.released, 0);
    cudaGraph_t graph = nullptr;
    ASSERT_EQ(cudaSuccess, cudaStreamEndCapture(stream.handle(), &graph));
    ASSERT_EQ(cudaSuccess, cudaGraphDestroy(graph));
    later = Block();
    EXPECT_EQ(pool.released, 2);
}

TEST_F(MemoryOfDeviceTest, NothingThatIsDestroyedEndsACapture) {
    Stream stream(*device_);
    Stream other(*device_);
    const CurrentContext guard(*device_);
    std::optional<Block> block(std::in_place, device_->allocator(), 16, 64, "a test");
    std::optional<cuda::PinnedRing> ring(std::in_place, *device_, 16, 2, "a test");
    ASSERT_EQ(cudaSuccess, cudaMemcpyAsync(block->data(), ring->acquire(), 16, cudaMemcpyHostToDevice, other.handle()));
    ring->submit(other);
    std::unique_ptr<cuda::Graph> graph;
    {
        cuda::Capture capture(other);
        graph = capture.finish();
    }
    graph->launch(other);
    for (const bool by_the_host : {false, true}) {
        std::optional<cuda::Capture> capture;
        if (by_the_host) {
            ASSERT_EQ(cudaSuccess, cudaStreamBeginCapture(stream.handle(), cudaStreamCaptureModeGlobal));
        } else {
            capture.emplace(stream);
        }
        const Block unused(device_->allocator(), 16, 64, "a test");
        block.reset();
        ring.reset();
        graph.reset();
        if (by_the_host) {
            cudaGraph_t recorded = nullptr;
            ASSERT_EQ(cudaSuccess, cudaStreamEndCapture(stream.handle(), &recorded));
            ASSERT_EQ(cudaSuccess, cudaGraphDestroy(recorded));
        } else {
            capture->finish();
        }
        block.emplace(device_->allocator(), 16, 64, "a test");
        ring.emplace(*device_, 16, 2, "a test");
        {
            cuda::Capture again(other);
            graph = again.finish();
        }
        graph->launch(other);
    }
}

TEST_F(MemoryOfDeviceTest, ARingsSlotsAreReusedWhenTheirCopiesAreDone) {
    Stream stream(*device_);
    cuda::PinnedRing ring(*device_, 100, 3, "a test");
    const Block block(device_->allocator(), 20 * 256, 64, "a test");
    const int64_t allocations = statistics().allocations;
    const CurrentContext guard(*device_);
    for (int turn = 0; turn < 20; ++turn) {
        char* const slot = ring.acquire();
        std::memset(slot, turn, 100);
        ASSERT_EQ(cudaSuccess, cudaMemcpyAsync(static_cast<char*>(block.data()) + turn * 256, slot, 100,
                                               cudaMemcpyHostToDevice, stream.handle()));
        ring.submit(stream);
    }
    EXPECT_EQ(statistics().allocations, allocations);
    char contents[20 * 256];
    ASSERT_EQ(cudaSuccess,
              cudaMemcpyAsync(contents, block.data(), sizeof contents, cudaMemcpyDeviceToHost, stream.handle()));
    for (int turn = 0; turn < 20; ++turn) EXPECT_EQ(contents[turn * 256 + 99], turn);
}

TEST_F(MemoryOfDeviceTest, ARingIsNotFreedUnderItsCopies) {
    Stream stream(*device_);
    const Block block(device_->allocator(), 16, 64, "a test");
    const CurrentContext guard(*device_);
    {
        cuda::PinnedRing ring(*device_, 16, 2, "a test");
        std::memset(ring.acquire(), 3, 16);
        ASSERT_EQ(cudaSuccess,
                  cudaMemcpyAsync(block.data(), ring.acquire(), 16, cudaMemcpyHostToDevice, stream.handle()));
        ring.submit(stream);
    }
    stream.synchronize();
}

}  // namespace
}  // namespace lk::test
