#include "lora/cuda/batch.h"

#include <algorithm>

#include "platform/cuda/status.h"

namespace lk::cuda {
namespace {

// Contents on their way to the device: while one is copied and one waits, the host writes the next.
constexpr int kStagingSlots = 3;

lk_lora_batch_options checked(const lk_lora_batch_options& capacities) {
    for (const int64_t capacity :
         {capacities.max_rows, capacities.max_entries, capacities.max_segments, capacities.max_rank_tiles}) {
        if (capacity >= INT32_MAX) {
            fail(LK_UNSUPPORTED, "options: a capacity is %lld; on a GPU a batch holds less than %d of anything",
                 static_cast<long long>(capacity), INT32_MAX);
        }
    }
    return capacities;
}

int64_t bytes_of(const lk_lora_batch_options& capacities) {
    Carver measure(nullptr);
    DevicePlan::place(measure, capacities);
    return measure.used();
}

DevicePlan place_at(void* memory, const lk_lora_batch_options& capacities) {
    Carver carver(static_cast<char*>(memory));
    return DevicePlan::place(carver, capacities);
}

}  // namespace

int64_t shrink_items(const BatchPlan& plan) {
    int64_t items = 0;
    for (size_t s = 0; s < plan.segments.size(); ++s) {
        const int64_t entries = plan.segment_offsets[s + 1] - plan.segment_offsets[s];
        items += divide_up(entries, kItemEntries) * divide_up(plan.segments[s]->widest_tiles, kItemTiles);
    }
    return items;
}

CudaBatch::CudaBatch(Device& device, const lk_allocator& allocator, const lk_lora_batch_options& capacities)
    : device_(device),
      capacities_(checked(capacities)),
      bytes_(bytes_of(capacities)),
      memory_(allocator, bytes_, Workspace::kAlignment, "a batch"),
      on_device_(place_at(memory_.data(), capacities)),
      staging_(device, bytes_, kStagingSlots, "a batch's staging memory"),
      uploaded_(device) {}

void CudaBatch::write(const BatchPlan& plan, char* out) const {
    const DevicePlan to = place_at(out, capacities_);
    std::copy(plan.row_offsets.begin(), plan.row_offsets.end(), to.row_offsets);
    std::copy(plan.row_of_entry.begin(), plan.row_of_entry.end(), to.row_of_entry);
    std::copy(plan.segment_of_entry.begin(), plan.segment_of_entry.end(), to.segment_of_entry);
    std::copy(plan.weights.begin(), plan.weights.end(), to.weights);
    std::copy(plan.segment_entries.begin(), plan.segment_entries.end(), to.segment_entries);
    int32_t tiles = 0;
    for (int64_t e = 0; e < plan.entries(); ++e) {
        const Adapter* adapter = plan.adapter_of(e);
        to.first_tile[e] = tiles;
        tiles += adapter == nullptr ? 0 : int32_t(adapter->widest_tiles);
    }
    int32_t items = 0;
    for (size_t s = 0; s < plan.segments.size(); ++s) {
        to.descriptors[s] = plan.segments[s]->descriptors();
        const auto end = int32_t(plan.segment_offsets[s + 1]);
        for (auto first = int32_t(plan.segment_offsets[s]); first < end; first += kItemEntries) {
            const auto pairs = int32_t(divide_up(plan.segments[s]->widest_tiles, kItemTiles));
            for (int32_t pair = 0; pair < pairs; ++pair) {
                to.items[items++] = {first, std::min(kItemEntries, end - first), pair};
            }
        }
    }
    *to.counts = {int32_t(plan.rows), int32_t(plan.entries()), items, 0};
}

void CudaBatch::set(const BatchPlan& plan, const Stream& stream) {
    const std::lock_guard lock(mutex_);
    char* const slot = staging_.acquire();
    write(plan, slot);
    if (uploading_stream_ != stream.handle()) stream.wait(uploaded_);
    for (size_t i = 0; i < marks_in_use_; ++i) {
        if (marks_[i].stream != stream.handle()) stream.wait(marks_[i].event);
    }
    check(cudaMemcpyAsync(memory_.data(), slot, size_t(bytes_), cudaMemcpyHostToDevice, stream.handle()),
          "cudaMemcpyAsync (a batch's plan)");
    staging_.submit(stream);
    uploaded_.record(stream);
    uploading_stream_ = stream.handle();
    marks_in_use_ = 0;
}

CudaBatch::Use::Use(CudaBatch& batch, const Stream& stream) : batch_(batch), stream_(stream), lock_(batch.mutex_) {
    if (batch.uploading_stream_ != stream.handle()) stream.wait(batch.uploaded_);
    const auto end = batch.marks_.begin() + ptrdiff_t(batch.marks_in_use_);
    auto mark = std::find_if(batch.marks_.begin(), end, [&](const Mark& m) { return m.stream == stream.handle(); });
    if (mark == end) {
        if (batch.marks_in_use_ == batch.marks_.size()) batch.marks_.push_back({nullptr, Event(batch.device_)});
        mark = batch.marks_.begin() + ptrdiff_t(batch.marks_in_use_++);
        mark->stream = stream.handle();
    }
    std::iter_swap(mark, batch.marks_.begin());
}

// A record that fails has found a lost device: the next call on it says so.
CudaBatch::Use::~Use() {
    try {
        batch_.marks_.front().event.record(stream_);
    } catch (const Error&) {
    }
}

}  // namespace lk::cuda
