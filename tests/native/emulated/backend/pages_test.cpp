// Adapters in pages of the device: what goes is used again when the work that reads it is done, and nothing waits
// before.
#include <thread>

#include "emulated/backend/gated_page.h"
#include "emulated/backend/rig.h"

namespace lk::test {
namespace {

constexpr lk_dtype kType = LK_DTYPE_F32;
constexpr int64_t kRows = 4;

// So small that adapters have some of their own.
struct SmallPages {
    SmallPages() { LK_EXPECT_OK(lk_emulated_configure_text("pages=4096")); }
    ~SmallPages() { LK_EXPECT_OK(lk_emulated_configure_text("pages=65536")); }
};

class BackendPages : public BackendTest {
  protected:
    static void seed(int value) { LK_ASSERT_OK(lk_emulated_configure_text(("seed=" + std::to_string(value)).c_str())); }
    int64_t reserved() {
        int64_t bytes = 0;
        LK_EXPECT_OK(lk_lora_table_reserved_bytes(rig.table, &bytes));
        return bytes;
    }
    void linear(lk_context* context, const DeviceMatrix& x, const DeviceMatrix& y) {
        LK_EXPECT_OK(lk_linear(context, &x.view, rig.weight, rig.batch, 0, nullptr, &y.view));
    }
    void remove_all() {
        for (const int64_t id : rig.adapters) LK_EXPECT_OK(lk_lora_table_remove(rig.table, id));
        rig.adapters.clear();
    }
    void add_all(uint32_t first_seed) {
        for (const int64_t rank : rig.shape.ranks) rig.adapters.push_back(rig.add_adapter(rank, ++first_seed));
    }

    SmallPages pages;
    Rig rig{emulated_options(), {}};
    Matrix input = random_matrix(kRows, rig.shape.in, 1);
};

TEST_F(BackendPages, RemovingWaitsForNothingAndAddingForWhatReadsTheRemoved) {
    LK_ASSERT_OK(rig.set({0, 1, 2, -1}));
    const Matrix expected = rig.linear(input, kType, true, false);
    DeviceMatrix x(rig.context, input, kType), y(rig.context, kRows, rig.shape.out, kType);
    LK_ASSERT_OK(lk_context_synchronize(rig.context));
    const int64_t bytes = reserved();
    for (int round = 1; round <= 4; ++round) {
        seed(round);
        linear(rig.context, x, y);
        const int64_t launches = statistics().launches;
        remove_all();
        LK_ASSERT_OK(rig.set({}));
        EXPECT_EQ(statistics().launches, launches) << "seed " << round;
        add_all(10);
        EXPECT_GT(statistics().launches, launches) << "seed " << round;
        EXPECT_EQ(reserved(), bytes);
        EXPECT_EQ(bits_of(y.download()), bits_of(expected)) << "seed " << round;
        LK_ASSERT_OK(rig.set({0, 1, 2, -1}));
    }
}

// What the launch of a graph reads is not known to the plan that it was recorded with.
TEST_F(BackendPages, AGraphsLaunchKeepsWhatItsBatchHad) {
    LK_ASSERT_OK(rig.set({0, 1, 2, -1}));
    const Matrix expected = rig.linear(input, kType, true, false);
    DeviceMatrix x(rig.context, input, kType), y(rig.context, kRows, rig.shape.out, kType);
    Graph graph;
    LK_ASSERT_OK(lk_capture_begin(rig.context));
    linear(rig.context, x, y);
    LK_ASSERT_OK(lk_capture_end(rig.context, graph.out()));
    Context other = make_context(emulated_options());
    for (int round = 1; round <= 4; ++round) {
        seed(round);
        LK_ASSERT_OK(lk_graph_launch(round % 2 == 0 ? rig.context : other, graph));
        remove_all();
        LK_ASSERT_OK(rig.set({}));
        add_all(10);
        LK_ASSERT_OK(lk_context_synchronize(other));
        EXPECT_EQ(bits_of(y.download()), bits_of(expected)) << "seed " << round;
        LK_ASSERT_OK(rig.set({0, 1, 2, -1}));
    }
}

// Adapters of all sizes come and go; those that stay give the bits that they give in a table of their own.
TEST_F(BackendPages, AnyHistoryLeavesTheOthersAsTheyAre) {
    std::mt19937 random(7);
    rig.shape.ranks = {3, 8, 17, 40, 70};
    remove_all();
    std::vector<std::pair<int64_t, uint32_t>> live;  // rank, seed
    for (int step = 0; step < 60; ++step) {
        if (live.size() == 6 || (live.size() > 2 && random() % 2 == 0)) {
            const size_t which = random() % live.size();
            LK_ASSERT_OK(lk_lora_table_remove(rig.table, rig.adapters[which]));
            rig.adapters.erase(rig.adapters.begin() + ptrdiff_t(which));
            live.erase(live.begin() + ptrdiff_t(which));
        } else {
            live.emplace_back(rig.shape.ranks[random() % 5], 100 + uint32_t(step));
            rig.adapters.push_back(rig.add_adapter(live.back().first, live.back().second));
        }
        if (live.size() < 3 || step % 10 != 9) continue;
        LK_ASSERT_OK(rig.set({0, 1, 2, -1}));
        Shape alone = rig.shape;
        alone.ranks = {};
        Rig fresh(emulated_options(), alone);
        for (const auto& [rank, first_seed] : live) fresh.adapters.push_back(fresh.add_adapter(rank, first_seed));
        LK_ASSERT_OK(fresh.set({0, 1, 2, -1}));
        EXPECT_EQ(bits_of(rig.linear(input, kType, true, false)), bits_of(fresh.linear(input, kType, true, false)))
            << "step " << step;
    }
}

// From a thread that loads, with a context of its own, while another computes.
TEST_F(BackendPages, AddingDoesNotWaitForTheWorkOfOtherStreams) {
    LK_ASSERT_OK(rig.set({0, 1, 2, -1}));
    const Matrix expected = rig.linear(input, kType, true, false);
    DeviceMatrix x(rig.context, input, kType), y(rig.context, kRows, rig.shape.out, kType);
    LK_ASSERT_OK(lk_context_synchronize(rig.context));
    Context loader = make_context(emulated_options());
    int pending = 0;
    for (int round = 1; round <= 8; ++round) {
        seed(round);
        const int64_t launches = statistics().launches;
        for (int i = 0; i < 4; ++i) linear(rig.context, x, y);
        std::thread([&] {
            Matrix a = random_matrix(2, rig.shape.in, 1), b = random_matrix(rig.shape.out / 2 - 1, 2, 1);
            const lk_lora_factors factors{sizeof factors, 0, 0, 1, a.view(), b.view(), {}, {}};
            int64_t id = 0;
            LK_EXPECT_OK(lk_lora_table_add(loader, rig.table, &factors, 1, &id));
        }).join();
        const int64_t ran = statistics().launches - launches;
        LK_ASSERT_OK(lk_context_synchronize(rig.context));
        pending += ran < statistics().launches - launches ? 1 : 0;
        EXPECT_EQ(bits_of(y.download()), bits_of(expected)) << "seed " << round;
    }
    EXPECT_GT(pending, 4);  // the copies of the one stream and the kernels of the other take turns
}

// A loader that stands still in the middle of an adapter holds nothing that a step needs, or another loader.
TEST_F(BackendPages, ABlockedLoaderStopsNobody) {
    LK_ASSERT_OK(rig.set({0, 1, 2, -1}));
    const Matrix expected = rig.linear(input, kType, true, false);
    const int64_t half = rig.shape.out / 2 - 1;
    GatedPage page;
    const Matrix values = random_matrix(2, rig.shape.in, 1);
    std::memcpy(page.data(), values.values.data(), values.values.size() * sizeof(float));
    page.close();
    int64_t loaded = 0;
    std::thread loader([&] {
        Context context = make_context(emulated_options());
        const lk_matrix a{page.data(), 2, rig.shape.in, rig.shape.in, LK_DTYPE_F32, 0};
        Matrix b = random_matrix(half, 2, 1);
        const lk_lora_factors factors{sizeof factors, 0, 0, 1, a, b.view(), {}, {}};
        LK_EXPECT_OK(lk_lora_table_add(context, rig.table, &factors, 1, &loaded));
    });
    page.wait_for_reader();
    for (const auto& rows : {std::vector<int>{2, 2, 0, 1}, {0, 1, 2, -1}}) LK_EXPECT_OK(rig.set(rows));
    EXPECT_EQ(bits_of(rig.linear(input, kType, true, false)), bits_of(expected));
    rig.adapters.push_back(rig.add_adapter(5, 77));
    LK_EXPECT_OK(lk_lora_table_remove(rig.table, rig.adapters[1]));
    rig.adapters[1] = rig.adapters.back();
    LK_EXPECT_OK(rig.set({3, 0, 1, 2}));
    LK_EXPECT_OK(lk_lora_table_trim(rig.table));
    EXPECT_GT(reserved(), 0);
    LK_EXPECT_OK(lk_context_synchronize(rig.context));
    EXPECT_EQ(loaded, 0);
    page.open();
    loader.join();
    rig.adapters.push_back(loaded);
    LK_EXPECT_OK(rig.set({4, -1, 4, -1}));
}

TEST_F(BackendPages, ADeviceThatMapsNothingHasBlocks) {
    LK_ASSERT_OK(rig.set({0, 1, 2, -1}));
    LK_ASSERT_OK(lk_emulated_configure_text("pages=0"));
    const int64_t addresses = statistics().reserved_bytes;
    {
        Rig plain(emulated_options(), {});
        EXPECT_EQ(statistics().reserved_bytes, addresses);
        LK_ASSERT_OK(plain.set({0, 1, 2, -1}));
        EXPECT_EQ(bits_of(plain.linear(input, kType, true, true)), bits_of(rig.linear(input, kType, true, true)));
        int64_t bytes = 0, all = 0;
        LK_EXPECT_OK(lk_lora_table_bytes(plain.table, &bytes));
        LK_EXPECT_OK(lk_lora_table_reserved_bytes(plain.table, &all));
        EXPECT_EQ(bytes, all);
    }
    LK_ASSERT_OK(lk_emulated_configure_text("pages=4096"));
}

TEST_F(BackendPages, TheLastTableGivesEverythingBack) {
    const int64_t before = live_bytes(), with_rig = reserved();
    EXPECT_GT(with_rig, 0);
    {
        Rig other(emulated_options(), {});
        EXPECT_GE(reserved(), with_rig);
    }
    LK_ASSERT_OK(lk_lora_table_trim(rig.table));
    EXPECT_EQ(reserved(), with_rig);
    EXPECT_EQ(live_bytes(), before);
    rig.batch = Batch();
    const int64_t without_batch = live_bytes();
    rig.table = Table();
    EXPECT_EQ(live_bytes(), without_batch - with_rig);
}

}  // namespace
}  // namespace lk::test
