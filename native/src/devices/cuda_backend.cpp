// Contexts, recordings, memory and weights; cuda_operations.cpp has the operations.
#include "devices/cuda_backend.h"

#include <algorithm>
#include <mutex>

#include "core/matrix.h"
#include "devices/cuda_recording.h"
#include "lora/cuda/adapter_pages.h"
#include "matmul/cuda/choice.h"
#include "packing/cuda/pack.h"
#include "platform/cuda/status.h"

namespace lk::cuda {
namespace {

// Copies that CUDA cannot do at once have a pitch beyond this.
constexpr int64_t kLargestPitch = INT32_MAX;

std::vector<char> staging_memory(int64_t bytes) {
    return std::vector<char>(size_t(bytes));
}

}  // namespace

CudaBackend::CudaBackend(Device& device, cudaStream_t borrowed, const lk_allocator& hook, bool batch_invariant)
    : device_(device),
      stream_(borrowed == nullptr ? Stream(device) : Stream(device, borrowed)),
      uploader_(device),
      allocator_(device.allocator()),
      batch_invariant_(batch_invariant) {
    if (hook.allocate != nullptr) {
        hook_ = std::make_shared<HookAllocator>(device, hook);
        allocator_ = hook_->allocator();
    }
    const CurrentContext current(device);
    const int64_t bytes = kArrivalsOffset + most_arrivals() * int64_t(sizeof(uint32_t));
    counters_ = std::make_shared<const Block>(allocator_, bytes, Workspace::kAlignment, "a context's counters");
    // On a stream of its own: a borrowed one may be recording.
    const Stream stream(device);
    check(cudaMemsetAsync(counters_->data(), 0, size_t(bytes), stream.handle()), "cudaMemsetAsync (counters)");
    stream.synchronize();
}

void CudaBackend::describe(lk_device_info& info) const {
    cuda::describe(device_.facts(), device_.index(), info);
}

std::shared_ptr<AdapterMemory> CudaBackend::adapter_memory() const {
    if (hook_ == nullptr && mapped_page_bytes(device_.index()) > 0) {
        return std::make_shared<AdapterPages>(PagePool::of(device_));
    }
    return std::make_shared<AdapterBlocks>(allocator_, 64, hook_);
}

void CudaBackend::refuse_while_recording(const char* what) const {
    if (!stream_.capturing()) return;
    fail(LK_BUSY, "context: records, and %s cannot be recorded; do it before lk_capture_begin or after lk_capture_end",
         what);
}

void CudaBackend::synchronize() {
    const CurrentContext current(device_);
    refuse_while_recording("waiting for the stream");
    stream_.synchronize();
}

void CudaBackend::begin_capture() {
    const CurrentContext current(device_);
    refuse_while_recording("a recording");
    recorded_batches_.clear();
    capture_.emplace(stream_);
}

std::unique_ptr<Recording> CudaBackend::end_capture() {
    const CurrentContext current(device_);
    if (!capture_.has_value()) {
        fail(LK_INVALID_ARGUMENT, "context: does not record; lk_capture_begin comes before lk_capture_end");
    }
    std::unique_ptr<Graph> graph;
    try {
        graph = capture_->finish();
    } catch (const Error& error) {
        capture_.reset();
        if (error.status() != LK_INTERNAL) throw;
        fail(LK_INVALID_ARGUMENT, "context: a call on its stream that cannot be recorded has ended the recording (%s)",
             error.what());
    }
    capture_.reset();
    return std::make_unique<CudaRecording>(std::move(graph), std::move(recorded_batches_), counters_);
}

void CudaBackend::drop_capture() {
    capture_.reset();
}

void CudaBackend::launch(const Recording& recording) {
    const CurrentContext current(device_);
    refuse_while_recording("launching a graph");
    static_cast<const CudaRecording&>(recording).launch(stream_);
}

void CudaBackend::upload(void* device_memory, const void* source, int64_t bytes) {
    if (bytes == 0) return;
    check(cudaMemcpyAsync(device_memory, source, size_t(bytes), cudaMemcpyHostToDevice, stream_.handle()),
          "cudaMemcpyAsync (to the device)");
}

void CudaBackend::download(void* destination, const void* device_memory, int64_t bytes) {
    if (bytes == 0) return;
    check(cudaMemcpyAsync(destination, device_memory, size_t(bytes), cudaMemcpyDeviceToHost, stream_.handle()),
          "cudaMemcpyAsync (from the device)");
}

void CudaBackend::fill(const std::vector<char*>& pieces, const std::vector<int64_t>& bytes,
                       const std::function<void(size_t piece, char* out)>& write) {
    const CurrentContext current(device_);
    refuse_while_recording("writing to the device from the host");
    int64_t largest = 0;
    for (const int64_t count : bytes) largest = std::max(largest, count);
    std::vector<char> staged = staging_memory(largest);
    // A piece is on its way while the next one is written.
    for (size_t piece = 0; piece < pieces.size(); ++piece) {
        write(piece, staged.data());
        uploader_.upload(stream_, pieces[piece], staged.data(), bytes[piece]);
    }
    stream_.synchronize();
}

void CudaBackend::copy(const lk_matrix& source, lk_copy_kind kind, const lk_matrix& destination) {
    const CurrentContext current(device_);
    if (kind != LK_COPY_DEVICE_TO_DEVICE) refuse_while_recording("a copy from or to host memory");
    if (is_empty(source)) return;
    const auto direction = kind == LK_COPY_HOST_TO_DEVICE   ? cudaMemcpyHostToDevice
                           : kind == LK_COPY_DEVICE_TO_HOST ? cudaMemcpyDeviceToHost
                                                            : cudaMemcpyDeviceToDevice;
    const int64_t size = size_of(source.dtype);
    const int64_t row_bytes = source.columns * size;
    const int64_t from = source.row_stride * size;
    const int64_t to = destination.row_stride * size;
    const bool dense = source.rows == 1 || (from == row_bytes && to == row_bytes);
    const bool row_by_row = std::max(from, to) > kLargestPitch;
    const int64_t pieces = dense || !row_by_row ? 1 : source.rows;
    for (int64_t piece = 0; piece < pieces; ++piece) {
        auto* const out = static_cast<char*>(destination.data) + piece * to;
        const auto* const in = static_cast<const char*>(source.data) + piece * from;
        if (dense || row_by_row) {
            const int64_t bytes = dense ? row_bytes * source.rows : row_bytes;
            check(cudaMemcpyAsync(out, in, size_t(bytes), direction, stream_.handle()), "cudaMemcpyAsync (lk_copy)");
        } else {
            check(cudaMemcpy2DAsync(out, size_t(to), in, size_t(from), size_t(row_bytes), size_t(source.rows),
                                    direction, stream_.handle()),
                  "cudaMemcpy2DAsync (lk_copy)");
        }
    }
    if (kind != LK_COPY_DEVICE_TO_DEVICE) stream_.synchronize();
}

void CudaBackend::pack(const lk_weight_tensors& tensors, lk_weight& weight) {
    const CurrentContext current(device_);
    refuse_while_recording("packing a weight");
    cuda::pack(stream_, uploader_, allocator_, tensors, weight);
}

void CudaBackend::unpack(const lk_weight& weight, const lk_weight_tensors& tensors_out) {
    const CurrentContext current(device_);
    refuse_while_recording("unpacking a weight");
    cuda::unpack(stream_, uploader_, allocator_, weight, tensors_out);
}

}  // namespace lk::cuda
