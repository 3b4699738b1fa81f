// Adapters for matmul kernels whose products are exact: x * A^T as it lies between shrink and expand, and B.
#pragma once

#include <memory>
#include <vector>

#include "core/numeric.h"
#include "device/harness.h"
#include "lora/cuda/device_plan.h"

namespace lk::cuda::testing {

using emulated::testing::Array;

// Two adapters of two ranks; every third token has none, one has both.
class SampleAdapters {
  public:
    SampleAdapters(int64_t n, int64_t tokens) {
        std::vector<LoraDescriptor> slices;
        for (int a = 0; a < 2; ++a) {
            std::vector<uint16_t> b;
            for (int64_t i = 0; i < kRanks[a] * n; ++i) b.push_back(from_float<Half>(b_value(a, i)).bits);
            factors_.push_back(Array<uint16_t>(b));
            slices.push_back({nullptr, factors_.back().data(), 0, n, kScales[a], int16_t(kRanks[a]), 0, LK_DTYPE_F16,
                              LK_DTYPE_F16, 1, 0});
        }
        descriptors_ = std::make_unique<Array<LoraDescriptor>>(slices);
        const LoraDescriptor* const first = descriptors_->data();
        segments_ =
            std::make_unique<Array<const LoraDescriptor*>>(std::vector<const LoraDescriptor*>{first, first + 1});
        std::vector<int32_t> offsets{0}, of_entry;
        std::vector<float> entry_weights, entry_values;
        for (int64_t m = 0; m < tokens; ++m) {
            for (const int a : adapters_of(m)) {
                of_entry.push_back(a);
                entry_weights.push_back(kWeight);
                for (int r = 0; r < kRanks[1]; ++r) entry_values.push_back(value(m, r));
            }
            offsets.push_back(int32_t(of_entry.size()));
        }
        const auto entries = int32_t(of_entry.size());
        counts_ = std::make_unique<Array<PlanCounts>>(std::vector<PlanCounts>{{int32_t(tokens), entries, 0, 0}});
        row_offsets_ = std::make_unique<Array<int32_t>>(offsets);
        segment_of_entry_ = std::make_unique<Array<int32_t>>(of_entry);
        weights_ = std::make_unique<Array<float>>(entry_weights);
        values_ = std::make_unique<Array<float>>(entry_values);
    }

    Adapters view() const {
        Adapters view;
        view.plan.counts = counts_->data();
        view.plan.row_offsets = row_offsets_->data();
        view.plan.segment_of_entry = segment_of_entry_->data();
        view.plan.weights = weights_->data();
        view.plan.descriptors = segments_->data();
        view.slice_count = 1;
        view.values = values_->data();
        view.by_tiles = false;
        view.value_rows = int64_t(values_->size()) / kRanks[1];
        view.value_stride = kRanks[1];
        return view;
    }
    // What they add to y[m, n] of so many columns.
    double at(int64_t m, int64_t n, int64_t columns) const {
        double sum = 0;
        for (const int a : adapters_of(m)) {
            for (int r = 0; r < kRanks[a]; ++r) sum += kScales[a] * kWeight * value(m, r) * b_value(a, r * columns + n);
        }
        return sum;
    }

  private:
    static constexpr int kRanks[2] = {8, 64};
    static constexpr float kScales[2] = {2, .5};
    static constexpr float kWeight = .5;

    static std::vector<int> adapters_of(int64_t m) {
        if (m == 4) return {1, 0};
        return m % 3 == 2 ? std::vector<int>{} : std::vector<int>{int(m % 3)};
    }
    static float b_value(int a, int64_t i) { return float((i * 5 + a) % 7) - 3; }
    static float value(int64_t m, int r) { return float((m * 3 + r) % 5) - 2; }

    std::vector<Array<uint16_t>> factors_;
    std::unique_ptr<Array<LoraDescriptor>> descriptors_;
    std::unique_ptr<Array<const LoraDescriptor*>> segments_;
    std::unique_ptr<Array<PlanCounts>> counts_;
    std::unique_ptr<Array<int32_t>> row_offsets_, segment_of_entry_;
    std::unique_ptr<Array<float>> weights_, values_;
};

}  // namespace lk::cuda::testing
