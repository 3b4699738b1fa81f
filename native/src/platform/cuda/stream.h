// Streams and events. Their methods want the device's context current (CurrentContext); making and destroying does not.
#pragma once

#include "platform/cuda/device.h"

namespace lk::cuda {

class Stream;

// A mark in a stream's work. Without timing, which would cost each record a timestamp.
class Event {
  public:
    explicit Event(Device& device);
    Event(Event&& other) noexcept;
    Event& operator=(Event&& other) noexcept;
    ~Event();

    void record(const Stream& stream);
    // Blocks the calling thread until the last record is reached; at once if there was none.
    void synchronize() const;
    bool reached() const;
    cudaEvent_t handle() const { return handle_; }

  private:
    Device* device_;
    cudaEvent_t handle_ = nullptr;
};

class Stream {
  public:
    // One of its own that does not wait for the default stream.
    explicit Stream(Device& device);
    // The host's: never destroyed here.
    Stream(Device& device, cudaStream_t borrowed);
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;
    ~Stream();

    Device& device() const { return device_; }
    cudaStream_t handle() const { return handle_; }
    bool owned() const { return owned_; }

    void synchronize() const;
    // What is enqueued from now on waits for the event's last record.
    void wait(const Event& event) const;
    // Between cudaStreamBeginCapture and its end, whoever began it.
    bool capturing() const;

  private:
    Device& device_;
    cudaStream_t handle_ = nullptr;
    bool owned_;
};

}  // namespace lk::cuda
