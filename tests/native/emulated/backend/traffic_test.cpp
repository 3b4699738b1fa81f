// The bytes that a linear asks memory for: a weight once for each tile of tokens, y once, an adapter once for each tile
// that has it.
#include "emulated/backend/lora_rig.h"
#include "lora/batch.h"
#include "matmul/cuda/choice.h"
#include "packing/weight.h"
#include "platform/cuda_emulated/architecture.h"
#include "support/weights.h"

namespace lk::test {
namespace {

struct Traffic {
    int64_t read = 0;
    int64_t written = 0;
};

Traffic traffic_of(const void* memory) {
    Traffic traffic;
    if (memory == nullptr) return traffic;
    LK_EXPECT_OK(lk_emulated_traffic(memory, &traffic.read, &traffic.written));
    return traffic;
}

// What the device chooses by.
cuda::DeviceFacts emulated_facts() {
    lk_emulated_options options{};
    options.struct_size = sizeof options;
    LK_EXPECT_OK(lk_emulated_options_get(&options));
    cuda::DeviceFacts facts;
    facts.compute_capability = options.architecture;
    facts.multiprocessors = options.multiprocessors;
    facts.shared_bytes_per_block = emulated::max_shared_bytes_of_block(options.architecture);
    facts.shared_bytes_per_multiprocessor = emulated::multiprocessor_of(options.architecture).shared_bytes;
    return facts;
}

// Tokens for which the weight is read once.
int64_t tile_of(const lk_weight& weight, lk_dtype dtype, int64_t rows) {
    const auto choice = cuda::choose_matmul(cuda::FragmentView(weight), dtype, rows, emulated_facts(), false);
    EXPECT_NE(choice.path, cuda::MatmulPath::plain);
    return choice.path == cuda::MatmulPath::decode ? rows : choice.batch.tokens;
}

// So small that no sum overflows: an element of y that does is computed again.
Matrix small_matrix(int64_t rows, int64_t columns) {
    Matrix matrix = random_matrix(rows, columns, 3);
    for (float& value : matrix.values) value /= 1024;
    return matrix;
}

struct TrafficCase {
    const char* name;
    lk_weight_tensors tensors;
};

void PrintTo(const TrafficCase& c, std::ostream* out) {
    *out << c.name;
}

class WeightTraffic : public BackendTest, public testing::WithParamInterface<TrafficCase> {
  protected:
    WeightTraffic() {
        Tensors tensors(GetParam().tensors);
        fill(tensors, 7);
        LK_EXPECT_OK(lk_weight_pack(context, &tensors.view, weight.out()));
    }

    void expect_once_for_each_tile(int64_t rows) {
        const lk_weight& of = *weight;
        DeviceMatrix x(context, rows, of.tensors.in_features, LK_DTYPE_F16, 0);
        x.upload(small_matrix(rows, of.tensors.in_features));
        const DeviceMatrix y(context, rows, of.tensors.out_features, LK_DTYPE_F16, 0);
        const Block* const memories[] = {&of.codes_memory, &of.scales_memory, &of.zero_points_memory};
        std::vector<int64_t> before;
        for (const Block* memory : memories) before.push_back(traffic_of(memory->data()).read);
        LK_ASSERT_OK(lk_matmul(context, &x.view, weight, nullptr, &y.view));
        LK_ASSERT_OK(lk_context_synchronize(context));

        int64_t read = 0, size = 0;
        for (size_t i = 0; i < before.size(); ++i) {
            read += traffic_of(memories[i]->data()).read - before[i];
            size += memories[i]->bytes();
        }
        const int64_t tiles = divide_up(rows, tile_of(*weight, LK_DTYPE_F16, rows));
        EXPECT_GE(read, tiles * size) << rows << " rows";
        EXPECT_LE(double(read), 1.02 * double(tiles * size)) << rows << " rows";
        const int64_t y_size = rows * of.tensors.out_features * size_of(LK_DTYPE_F16);
        EXPECT_GE(traffic_of(y.view.data).written, y_size) << rows << " rows";
        EXPECT_LE(double(traffic_of(y.view.data).written), 1.05 * double(y_size)) << rows << " rows";
    }

    Context context = make_context(emulated_options());
    Weight weight;
};

TEST_P(WeightTraffic, IsTheWeightOnceForEachTileOfTokens) {
    for (const int64_t rows : {1, 8, 64, 130}) expect_once_for_each_tile(rows);
}

// Decoding divides K among 16 warps: with fewer than 4096 k two of them ask for the same unit of Q4_K's scales.
INSTANTIATE_TEST_SUITE_P(
    All, WeightTraffic,
    testing::Values(TrafficCase{"int4 g128", int4_sizes(128, 4096, 128)},
                    TrafficCase{"int4 g128 zero points", int4_sizes(128, 4096, 128, {.zero_points = true})},
                    TrafficCase{"NF4 g64", nf4_sizes(128, 4096, 64, 0)}, TrafficCase{"MXFP4", mxfp4_sizes(128, 4096)},
                    TrafficCase{"NVFP4", nvfp4_sizes(128, 4096, false)}, TrafficCase{"Q4_K", q4_k_sizes(128, 4096)}));

// Adapters of so high a rank that their descriptors, which every warp reads, are below the margin.
class AdapterTraffic : public BackendTest {
  protected:
    static constexpr int64_t kIn = 1024;
    static constexpr int64_t kOut = 256;
    static constexpr int64_t kRank = 128;

    AdapterTraffic()
        : rig(emulated_options(), {.in = kIn, .out = kOut, .slices = {{0, kOut}}, .ranks = {kRank, kRank, kRank}}) {
        Tensors tensors(int4_sizes(kOut, kIn, 128));
        fill(tensors, 7);
        LK_EXPECT_OK(lk_weight_pack(rig.context, &tensors.view, weight.out()));
    }

    void expect_once_for_each_tile(const Assignment& assignment) {
        const auto rows = int64_t(assignment.size());
        rig.set(assignment);
        const auto plan = static_cast<lk_lora_batch*>(rig.batch)->plan();
        DeviceMatrix x(rig.context, rows, kIn, LK_DTYPE_F16, 0);
        x.upload(small_matrix(rows, kIn));
        const DeviceMatrix y(rig.context, rows, kOut, LK_DTYPE_F16, 0);
        std::vector<int64_t> before;
        for (const auto& adapter : plan->segments) before.push_back(traffic_of(adapter->place->parts().front()).read);
        LK_ASSERT_OK(lk_linear(rig.context, &x.view, weight, rig.batch, 0, nullptr, &y.view));
        LK_ASSERT_OK(lk_context_synchronize(rig.context));

        // Shrink takes 32 rows of an adapter at a time, the epilogue as many of a tile.
        const int64_t tile = std::min<int64_t>(32, tile_of(*weight, LK_DTYPE_F16, rows));
        for (size_t s = 0; s < plan->segments.size(); ++s) {
            std::vector<bool> has(size_t(divide_up(rows, tile)));
            int64_t entries = 0;
            for (int64_t row = 0; row < rows; ++row) {
                if (plan->adapter_of(plan->row_offsets[size_t(row)]) != plan->segments[s]) continue;
                has[size_t(row / tile)] = true;
                ++entries;
            }
            const int64_t element = size_of(LK_DTYPE_F16);
            const int64_t a = divide_up(entries, 32) * kRank * kIn * element;
            const int64_t b = std::count(has.begin(), has.end(), true) * kRank * kOut * element;
            const int64_t read = traffic_of(plan->segments[s]->place->parts().front()).read - before[s];
            EXPECT_GE(read, a + b) << rows << " rows, adapter " << s;
            EXPECT_LE(double(read), 1.05 * double(a + b)) << rows << " rows, adapter " << s;
        }
    }

    LoraRig rig;
    Weight weight;
};

TEST_F(AdapterTraffic, IsAnAdapterOnceForEachTileThatHasIt) {
    expect_once_for_each_tile({{{0}}});
    for (const int64_t rows : {8, 64, 130}) {
        Assignment one_each, in_runs;
        for (int64_t row = 0; row < rows; ++row) {
            one_each.push_back({{int(row % 3)}});
            in_runs.push_back({{int(row * 3 / rows)}});
        }
        expect_once_for_each_tile(one_each);
        expect_once_for_each_tile(in_runs);
    }
}

}  // namespace
}  // namespace lk::test
