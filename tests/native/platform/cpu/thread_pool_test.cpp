#include "platform/cpu/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>

namespace lk::cpu {
namespace {

class ThreadPoolTest : public testing::Test {
  protected:
    ~ThreadPoolTest() override { pool.set_thread_count(0); }
    ThreadPool& pool = ThreadPool::shared();
};

TEST_F(ThreadPoolTest, VisitsEveryItemOnce) {
    for (const int threads : {1, 2, 3, 8}) {
        pool.set_thread_count(threads);
        EXPECT_EQ(pool.thread_count(), threads);
        for (const int64_t count : {0, 1, 2, 7, 1000}) {
            std::vector<std::atomic<int>> visits(static_cast<size_t>(count));
            pool.parallel_for(count, [&](int64_t i) { ++visits[size_t(i)]; });
            for (const auto& v : visits) ASSERT_EQ(v, 1);
        }
    }
}

TEST_F(ThreadPoolTest, NeverComputesOnMoreThreadsThanItsCount) {
    pool.set_thread_count(3);
    std::atomic<int> inside{0}, most{0};
    std::vector<std::thread> callers;
    for (int c = 0; c < 6; ++c) {
        callers.emplace_back([&] {
            for (int round = 0; round < 50; ++round) {
                pool.parallel_for(16, [&](int64_t) {
                    const int now = ++inside;
                    int known = most;
                    while (now > known && !most.compare_exchange_weak(known, now)) {
                    }
                    std::this_thread::sleep_for(std::chrono::microseconds(20));
                    --inside;
                });
            }
        });
    }
    for (std::thread& caller : callers) caller.join();
    EXPECT_LE(most, 3);
    EXPECT_GE(most, 2);
}

TEST_F(ThreadPoolTest, HandsAnExceptionToItsCallerAndGoesOn) {
    pool.set_thread_count(2);
    for (int round = 0; round < 100; ++round) {
        EXPECT_THROW(pool.parallel_for(100,
                                       [](int64_t i) {
                                           if (i == 37) throw std::runtime_error("37");
                                       }),
                     std::runtime_error);
        std::atomic<int64_t> sum{0};
        pool.parallel_for(100, [&](int64_t i) { sum += i; });
        EXPECT_EQ(sum, 4950);
    }
}

// Pauses around the time for which idle threads look out: work comes while they do, while they fall asleep and after.
TEST_F(ThreadPoolTest, FindsItsThreadsAwakeOrAsleep) {
    pool.set_thread_count(2);
    std::vector<std::thread> callers;
    for (int c = 0; c < 2; ++c) {
        callers.emplace_back([this, c] {
            for (int round = 0; round < 300; ++round) {
                const int percent = (round * 37 + c * 50) % 200;
                std::this_thread::sleep_for(ThreadPool::kLookout * percent / 100);
                std::atomic<int64_t> sum{0};
                pool.parallel_for(16, [&](int64_t i) { sum += i; });
                ASSERT_EQ(sum, 120);
            }
        });
    }
    for (std::thread& caller : callers) caller.join();
}

TEST_F(ThreadPoolTest, CountMayChangeWhileOthersCompute) {
    std::atomic<bool> stop{false};
    std::thread changer([&] {
        for (int i = 0; !stop; ++i) pool.set_thread_count(1 + i % 4);
    });
    for (int round = 0; round < 500; ++round) {
        std::atomic<int64_t> sum{0};
        pool.parallel_for(64, [&](int64_t i) { sum += i; });
        ASSERT_EQ(sum, 2016);
    }
    stop = true;
    changer.join();
}

}  // namespace
}  // namespace lk::cpu
