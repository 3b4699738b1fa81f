// Pages of a device: reused when the work that reads them is done, not before, and given back.
#include "platform/cuda/page_pool.h"

#include <optional>
#include <random>
#include <thread>

#include "emulated/platform/platform_test.h"
#include "platform/cuda/graph.h"
#include "platform/cuda/pinned.h"

namespace lk::test {
namespace {

using cuda::CurrentContext;
using cuda::Device;
using cuda::PagePool;
using cuda::Stream;

constexpr int64_t kPage = 64 << 10;

class PagePoolTest : public PlatformTest {
  protected:
    void SetUp() override {
        PlatformTest::SetUp();
        ASSERT_EQ(LK_OK, lk_emulated_configure_text("pages=65536"));
        device_ = &Device::open(0);
        live_before_ = statistics().live_bytes;
        pool_ = &PagePool::of(*device_);
        pool_->join();
    }
    void TearDown() override {
        pool_->leave();
        EXPECT_EQ(live_pages(), 0);
        EXPECT_EQ(statistics().reserved_bytes, 0);
        PlatformTest::TearDown();
    }
    int64_t live_pages() const { return (statistics().live_bytes - live_before_) / kPage; }

    // Enqueues a fill of all of it, and a copy of its last byte.
    void use(const PagePool::Block& block, int64_t pages, int value, const Stream& stream, char* last) {
        const CurrentContext guard(*device_);
        ASSERT_EQ(cudaSuccess, cudaMemsetAsync(block.pages.data(), value, size_t(pages * kPage), stream.handle()));
        ASSERT_EQ(cudaSuccess, cudaMemcpyAsync(last, block.pages.data() + pages * kPage - 1, 1, cudaMemcpyDeviceToHost,
                                               stream.handle()));
    }
    bool is_idle(const Stream& stream) {
        const CurrentContext guard(*device_);
        return cudaStreamQuery(stream.handle()) == cudaSuccess;
    }

    Device* device_ = nullptr;
    PagePool* pool_ = nullptr;
    int64_t live_before_ = 0;
};

TEST_F(PagePoolTest, BlocksAreOfWholePagesAndPieces) {
    auto block = pool_->allocate({3, {256, 1024, kPage}});
    ASSERT_NE(block, nullptr);
    EXPECT_EQ(live_pages(), 5);
    EXPECT_EQ(pool_->reserved_bytes(), 5 * kPage);
    Stream stream(*device_);
    const CurrentContext guard(*device_);
    for (size_t i = 0; i < 3; ++i) {
        const int64_t bytes = i == 0 ? 256 : i == 1 ? 1024 : kPage;
        EXPECT_EQ(cudaSuccess, cudaMemsetAsync(block->pieces_at[i], 1, size_t(bytes), stream.handle()));
    }
    EXPECT_EQ(cudaSuccess, cudaMemsetAsync(block->pages.data(), 2, 3 * kPage, stream.handle()));
    stream.synchronize();
    pool_->release(std::move(block));
}

TEST_F(PagePoolTest, APageStaysAsLongAsAPieceOfItIsUsed) {
    auto first = pool_->allocate({0, {256}}), second = pool_->allocate({0, {512}});
    EXPECT_EQ(live_pages(), 1);
    Stream stream(*device_);
    const CurrentContext guard(*device_);
    ASSERT_EQ(cudaSuccess, cudaMemsetAsync(second->pieces_at[0], 7, 512, stream.handle()));
    char* const place = first->pieces_at[0];
    pool_->release(std::move(first));
    pool_->retire();
    stream.synchronize();
    pool_->trim();
    EXPECT_EQ(live_pages(), 1);
    char contents[512];
    ASSERT_EQ(cudaSuccess,
              cudaMemcpyAsync(contents, second->pieces_at[0], 512, cudaMemcpyDeviceToHost, stream.handle()));
    EXPECT_EQ(contents[511], 7);
    auto third = pool_->allocate({0, {256}});
    EXPECT_EQ(third->pieces_at[0], place);
    pool_->release(std::move(second));
    pool_->release(std::move(third));
}

TEST_F(PagePoolTest, ReleasingWaitsForNothingAndReuseForTheWork) {
    cuda::PinnedBlock last(*device_, 16, "a test");
    for (int seed = 1; seed <= 10; ++seed) {
        ASSERT_EQ(LK_OK, lk_emulated_configure_text(("seed=" + std::to_string(seed)).c_str()));
        Stream stream(*device_);
        auto block = pool_->allocate({2, {}});
        use(*block, 2, seed, stream, last.data());
        const int64_t copies = statistics().copies;
        pool_->release(std::move(block));
        pool_->retire();
        EXPECT_EQ(statistics().copies, copies);  // nothing has run
        // The pages of before, as soon as the work is done: no more are taken from the device.
        auto next = pool_->allocate({2, {}});
        EXPECT_EQ(live_pages(), 2);
        EXPECT_EQ(last.data()[0], seed);
        pool_->release(std::move(next));
        const CurrentContext guard(*device_);
        stream.synchronize();  // would find what it has lost
    }
}

TEST_F(PagePoolTest, WhatIsFreeServesBlocksOfAnySize) {
    std::vector<std::unique_ptr<PagePool::Block>> blocks;
    for (int i = 0; i < 8; ++i) blocks.push_back(pool_->allocate({1 + i % 3, {}}));
    const int64_t pages = live_pages();
    int64_t released = 0;
    for (int i = 0; i < 8; i += 2) {
        released += 1 + i % 3;
        pool_->release(std::move(blocks[size_t(i)]));
    }
    auto large = pool_->allocate({released, {}});
    EXPECT_EQ(live_pages(), pages);
    pool_->release(std::move(large));
    for (auto& block : blocks) {
        if (block != nullptr) pool_->release(std::move(block));
    }
    pool_->retire();
    auto everything = pool_->allocate({pages, {}});
    EXPECT_EQ(live_pages(), pages);
    pool_->release(std::move(everything));
}

TEST_F(PagePoolTest, TrimmingGivesBackWhatIsDoneWith) {
    cuda::PinnedBlock last(*device_, 16, "a test");
    Stream stream(*device_);
    auto kept = pool_->allocate({1, {}}), gone = pool_->allocate({4, {256}});
    use(*gone, 4, 1, stream, last.data());
    pool_->release(std::move(gone));
    pool_->retire();
    {
        const CurrentContext guard(*device_);
        stream.synchronize();
    }
    pool_->trim();
    EXPECT_EQ(live_pages(), 1);
    EXPECT_EQ(pool_->reserved_bytes(), kPage);
    pool_->release(std::move(kept));
}

TEST_F(PagePoolTest, OutOfMemoryTakesNothing) {
    auto block = pool_->allocate({2, {512}});
    ASSERT_EQ(LK_OK, lk_emulated_configure_text("memory=1048576"));
    EXPECT_EQ(pool_->allocate({40, {}}), nullptr);
    EXPECT_EQ(live_pages(), 3);
    EXPECT_EQ(pool_->allocate({20, {1024}}), nullptr);
    EXPECT_EQ(live_pages(), 3);
    ASSERT_EQ(LK_OK, lk_emulated_fail_next(LK_EMULATED_OUT_OF_MEMORY));
    EXPECT_EQ(pool_->allocate({1, {}}), nullptr);
    pool_->release(std::move(block));
    // What was released is enough.
    block = pool_->allocate({2, {512}});
    EXPECT_NE(block, nullptr);
    pool_->release(std::move(block));
    ASSERT_EQ(LK_OK, lk_emulated_configure_text("memory=1073741824"));
}

// No event may be recorded into a capture: the pages wait for its end, and others are taken meanwhile.
TEST_F(PagePoolTest, ACaptureIsLeftAlone) {
    cuda::PinnedBlock last(*device_, 16, "a test");
    for (const bool by_the_host : {false, true}) {
        Stream stream(*device_), other(*device_);
        auto block = pool_->allocate({2, {}});
        use(*block, 2, 3, stream, last.data());
        const CurrentContext guard(*device_);
        {
            std::optional<cuda::Capture> capture;
            if (by_the_host) {
                ASSERT_EQ(cudaSuccess, cudaStreamBeginCapture(other.handle(), cudaStreamCaptureModeGlobal));
            } else {
                capture.emplace(other);
            }
            pool_->release(std::move(block));
            pool_->retire();
            auto meanwhile = pool_->allocate({2, {}});
            EXPECT_EQ(live_pages(), 4);
            pool_->release(std::move(meanwhile));
            pool_->trim();
            EXPECT_EQ(live_pages(), 4);
            if (by_the_host) {
                cudaGraph_t recorded = nullptr;
                ASSERT_EQ(cudaSuccess, cudaStreamEndCapture(other.handle(), &recorded));
                ASSERT_EQ(cudaSuccess, cudaGraphDestroy(recorded));
            } else {
                capture->finish();
            }
        }
        auto all = pool_->allocate({4, {}});
        EXPECT_EQ(live_pages(), 4);
        pool_->release(std::move(all));
        pool_->retire();
        stream.synchronize();
        other.synchronize();
        pool_->trim();
        EXPECT_EQ(live_pages(), 0);
    }
}

TEST_F(PagePoolTest, TheLastUserGivesAllOfItBackWhenTheWorkIsDone) {
    cuda::PinnedBlock last(*device_, 16, "a test");
    Stream stream(*device_);
    auto block = pool_->allocate({2, {256}});
    use(*block, 2, 9, stream, last.data());
    pool_->release(std::move(block));
    pool_->join();
    pool_->leave();
    EXPECT_EQ(live_pages(), 3);
    pool_->leave();
    EXPECT_EQ(live_pages(), 0);
    EXPECT_EQ(last.data()[0], 9);
    pool_->join();
}

TEST_F(PagePoolTest, ThreadsAllocateAndReleaseAtTheSameTime) {
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            Stream stream(*device_);
            std::mt19937 random{uint32_t(t)};
            for (int round = 0; round < 50; ++round) {
                const int64_t pages = 1 + int64_t(random() % 3);
                auto block = pool_->allocate({pages, {256 * int64_t(1 + random() % 8)}});
                ASSERT_NE(block, nullptr);
                const CurrentContext guard(*device_);
                ASSERT_EQ(cudaSuccess, cudaMemsetAsync(block->pages.data(), t, size_t(pages * kPage), stream.handle()));
                pool_->release(std::move(block));
                if (random() % 4 == 0) pool_->retire();
                if (random() % 8 == 0) pool_->trim();
            }
            const CurrentContext guard(*device_);
            stream.synchronize();
        });
    }
    for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace lk::test
