// Objects that several contexts use at once, and objects that go while work on them is enqueued.
#include <atomic>
#include <thread>

#include "emulated/backend/rig.h"

namespace lk::test {
namespace {

constexpr int64_t kRows = 4;
constexpr lk_dtype kType = LK_DTYPE_F32;

class BackendSharing : public BackendTest {
  protected:
    Rig rig{emulated_options(), {}};
    Matrix input = random_matrix(kRows, rig.shape.in, 1);
};

// The streams take turns in an order that the seed decides: uploads, uses and the next upload must wait for each other.
TEST_F(BackendSharing, SettingWaitsForTheUsesOfOtherContexts) {
    Context other = make_context(emulated_options());
    LK_ASSERT_OK(rig.set({0, 0, 0, 0}));
    const Matrix expected = rig.linear(input, kType, true, false);
    DeviceMatrix x(other, input, kType), y(other, kRows, rig.shape.out, kType);
    for (uint32_t seed = 1; seed <= 8; ++seed) {
        LK_ASSERT_OK(lk_emulated_configure_text(("seed=" + std::to_string(seed)).c_str()));
        LK_ASSERT_OK(rig.set({0, 0, 0, 0}));
        LK_ASSERT_OK(lk_linear(other, &x.view, rig.weight, rig.batch, 0, nullptr, &y.view));
        LK_ASSERT_OK(rig.set({1, -1, 2, 1}));
        EXPECT_EQ(bits_of(y.download()), bits_of(expected)) << "seed " << seed;
    }
}

TEST_F(BackendSharing, ContentsFollowEachOtherFromWhereverTheyAreSet) {
    Context other = make_context(emulated_options());
    LK_ASSERT_OK(rig.set({1, -1, 2, 1}));
    const Matrix expected = rig.linear(input, kType, true, false);
    for (uint32_t seed = 1; seed <= 8; ++seed) {
        LK_ASSERT_OK(lk_emulated_configure_text(("seed=" + std::to_string(seed)).c_str()));
        LK_ASSERT_OK(rig.set({0, 0, 0, 0}));
        LK_ASSERT_OK(rig.set({2, 2, 2, 2}, other));
        LK_ASSERT_OK(rig.set({1, -1, 2, 1}));
        EXPECT_EQ(bits_of(rig.linear(input, kType, true, false)), bits_of(expected)) << "seed " << seed;
    }
}

TEST_F(BackendSharing, ThreadsShareABatchThatIsSetMeanwhile) {
    LK_ASSERT_OK(rig.set({0, 1, 2, -1}));
    const std::vector<uint32_t> expected = bits_of(rig.linear(input, kType, true, false));
    std::atomic<bool> stop{false};
    std::thread setter([&] {
        Context context = make_context(emulated_options());
        while (!stop) LK_EXPECT_OK(rig.set({0, 1, 2, -1}, context));
    });
    std::vector<std::thread> workers;
    for (int w = 0; w < 2; ++w) {
        workers.emplace_back([&] {
            Context context = make_context(emulated_options());
            DeviceMatrix x(context, input, kType), y(context, kRows, rig.shape.out, kType);
            for (int i = 0; i < 10; ++i) {
                LK_EXPECT_OK(lk_linear(context, &x.view, rig.weight, rig.batch, 0, nullptr, &y.view));
                EXPECT_EQ(bits_of(y.download()), expected);
            }
        });
    }
    for (std::thread& worker : workers) worker.join();
    stop = true;
    setter.join();
}

// What comes from the host is complete when the call returns.
TEST_F(BackendSharing, OtherContextsMayUseAtOnceWhatComesFromTheHost) {
    Context other = make_context(emulated_options());
    LK_ASSERT_OK(rig.set({0, 1, 2, -1}));
    const Matrix expected = rig.linear(input, kType, true, false);
    for (uint32_t seed = 1; seed <= 8; ++seed) {
        LK_ASSERT_OK(lk_emulated_configure_text(("seed=" + std::to_string(seed)).c_str()));
        Rig made(emulated_options(), {});
        LK_ASSERT_OK(made.set({0, 1, 2, -1}, other));
        DeviceMatrix x(other, input, kType), y(other, kRows, rig.shape.out, kType);
        LK_ASSERT_OK(lk_linear(other, &x.view, made.weight, made.batch, 0, nullptr, &y.view));
        EXPECT_EQ(bits_of(y.download()), bits_of(expected)) << "seed " << seed;
    }
}

// Setting allocates nothing, however often.
TEST_F(BackendSharing, SettingABatchAllocatesNothing) {
    LK_ASSERT_OK(rig.set({0, 1, 2, -1}));
    LK_ASSERT_OK(lk_context_synchronize(rig.context));
    const int64_t before = statistics().allocations;
    for (int i = 0; i < 10; ++i) LK_ASSERT_OK(rig.set({0, 1, 2, i % 3}));
    EXPECT_EQ(statistics().allocations, before);
}

TEST_F(BackendSharing, EverythingMayBeDestroyedWhileItIsUsed) {
    LK_ASSERT_OK(rig.set({0, 1, 2, -1}));
    const Matrix expected = rig.linear(input, kType, true, false);
    DeviceMatrix y(rig.context, kRows, rig.shape.out, kType);
    {
        DeviceMatrix x(rig.context, input, kType);
        LK_ASSERT_OK(lk_linear(rig.context, &x.view, rig.weight, rig.batch, 0, nullptr, &y.view));
        for (const int64_t id : rig.adapters) LK_ASSERT_OK(lk_lora_table_remove(rig.table, id));
    }
    rig.batch = Batch();
    rig.table = Table();
    rig.weight = Weight();
    EXPECT_EQ(bits_of(y.download()), bits_of(expected));
}

TEST_F(BackendSharing, AContextMayGoBeforeWhatWasMadeWithIt) {
    Weight weight;
    Buffer buffer;
    {
        Context context = make_context(emulated_options());
        Tensors tensors(q4_0_sizes(rig.shape.out, 96));
        fill(tensors, 4);
        LK_ASSERT_OK(lk_weight_pack(context, &tensors.view, weight.out()));
        LK_ASSERT_OK(lk_buffer_create(context, 100, buffer.out()));
    }
    DeviceMatrix w(rig.context, rig.shape.out, 96, kType);
    LK_EXPECT_OK(lk_dequantize(rig.context, weight, &w.view));
    w.download();
}

// The host's own memory, which comes back only when nothing uses it any more.
TEST_F(BackendSharing, AHostsAllocatorGetsEverythingBack) {
    struct Counter {
        int64_t blocks = 0;
        int64_t allocations = 0;
    } counter;
    lk_context_options options = emulated_options();
    options.allocator = {
        &counter,
        [](void* user, int64_t bytes, int64_t) -> void* {
            auto& c = *static_cast<Counter*>(user);
            void* memory = nullptr;
            CUcontext primary = nullptr;
            cuDevicePrimaryCtxRetain(&primary, 0);
            cuCtxPushCurrent(primary);
            if (cudaMalloc(&memory, size_t(bytes)) != cudaSuccess) memory = nullptr;
            cuCtxPopCurrent(&primary);
            cuDevicePrimaryCtxRelease(0);
            ++c.allocations;
            ++c.blocks;
            return memory;
        },
        [](void* user, void* memory, int64_t) {
            CUcontext primary = nullptr;
            cuDevicePrimaryCtxRetain(&primary, 0);
            cuCtxPushCurrent(primary);
            EXPECT_EQ(cudaSuccess, cudaFree(memory));
            cuCtxPopCurrent(&primary);
            cuDevicePrimaryCtxRelease(0);
            --static_cast<Counter*>(user)->blocks;
        },
    };
    {
        Rig hosted(options, {});
        LK_ASSERT_OK(hosted.set({0, 1, 2, -1}));
        LK_ASSERT_OK(rig.set({0, 1, 2, -1}));
        EXPECT_EQ(bits_of(hosted.linear(input, kType, true, true)), bits_of(rig.linear(input, kType, true, true)));
        EXPECT_GE(counter.allocations, 8);
    }
    EXPECT_EQ(counter.blocks, 0);
}

}  // namespace
}  // namespace lk::test
