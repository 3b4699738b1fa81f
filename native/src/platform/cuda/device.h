// A device, seen through one CUDA context.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "lorakernels.h"
#include "platform/cuda/api.h"
#include "platform/cuda/device_heap.h"
#include "platform/cuda/release_gate.h"
#include "platform/cuda/stream_list.h"

namespace lk::cuda {

// What lk_device_info says of these devices.
#if defined(LK_EMULATED)
inline constexpr lk_device_kind kDeviceKind = LK_DEVICE_EMULATED;
#else
inline constexpr lk_device_kind kDeviceKind = LK_DEVICE_CUDA;
#endif

struct DeviceFacts {
    std::string name;
    int compute_capability = 0;  // 90 for sm_90
    int multiprocessors = 0;
    int64_t memory_bytes = 0;
    int64_t shared_bytes_per_block = 0;  // the most that a block may ask for
    int64_t shared_bytes_per_multiprocessor = 0;
    int64_t l2_bytes = 0;
};

// Needs no context and makes none. Throws LK_DEVICE_UNAVAILABLE or LK_DRIVER_TOO_OLD with the reason.
DeviceFacts device_facts(int index);
void describe(const DeviceFacts& facts, int index, lk_device_info& info);

// One context of one device. There is one Device per context, made when it is first opened, and it lives until the
// process ends: memory and streams may outlive the lk_context that made them. A primary context that was retained stays
// so, as the CUDA runtime does it.
class Device {
  public:
    // The calling thread's current context if it belongs to the device of this index, else that device's primary one:
    // a host may have a context of its own (ILGPU has), and memory of one context means nothing in another.
    static Device& open(int index);

    // The context of a stream of the host's. LK_INVALID_ARGUMENT if it is not on the device of this index.
    static Device& of_stream(cudaStream_t stream, int index);

    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;

    int index() const { return index_; }
    CUcontext context() const { return context_; }
    const DeviceFacts& facts() const { return facts_; }
    ReleaseGate& release_gate() { return release_gate_; }
    StreamList& streams() { return streams_; }

    lk_allocator allocator() { return heap_.allocator(); }

  private:
    Device(int index, CUcontext context);
    static Device& of_context(int index, CUcontext context);

    int index_;
    CUcontext context_;
    DeviceFacts facts_;
    std::atomic<bool> retained_{false};
    ReleaseGate release_gate_;
    StreamList streams_;
    DeviceHeap heap_;
};

// Makes a device's context current and the caller's own current again at the end.
class CurrentContext {
  public:
    explicit CurrentContext(const Device& device) : CurrentContext(device.context()) {}
    explicit CurrentContext(CUcontext context);
    ~CurrentContext();
    CurrentContext(const CurrentContext&) = delete;
    CurrentContext& operator=(const CurrentContext&) = delete;

  private:
    bool pushed_ = false;
};

}  // namespace lk::cuda
