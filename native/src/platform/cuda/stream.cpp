#include "platform/cuda/stream.h"

#include <utility>

#include "platform/cuda/status.h"

namespace lk::cuda {

Event::Event(Device& device) : device_(&device) {
    const CurrentContext current(device);
    check(cudaEventCreateWithFlags(&handle_, cudaEventDisableTiming), "cudaEventCreateWithFlags");
}

Event::Event(Event&& other) noexcept : device_(other.device_), handle_(std::exchange(other.handle_, nullptr)) {}

Event& Event::operator=(Event&& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(handle_, other.handle_);
    return *this;
}

Event::~Event() {
    if (handle_ == nullptr) return;
    try {
        const CurrentContext current(*device_);
        cudaEventDestroy(handle_);
    } catch (const Error&) {  // a lost device; its events are gone with it
    }
}

void Event::record(const Stream& stream) {
    check(cudaEventRecord(handle_, stream.handle()), "cudaEventRecord");
}

void Event::synchronize() const {
    check(cudaEventSynchronize(handle_), "cudaEventSynchronize");
}

bool Event::reached() const {
    const cudaError_t error = cudaEventQuery(handle_);
    if (error == cudaErrorNotReady) {
        cudaGetLastError();
        return false;
    }
    check(error, "cudaEventQuery");
    return true;
}

Stream::Stream(Device& device) : device_(device), owned_(true) {
    const CurrentContext current(device);
    check(cudaStreamCreateWithFlags(&handle_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    device_.streams().add(handle_);
}

Stream::Stream(Device& device, cudaStream_t borrowed) : device_(device), handle_(borrowed), owned_(false) {
    device_.streams().add(handle_);
}

Stream::~Stream() {
    device_.streams().remove(handle_);
    if (!owned_) return;
    try {
        const CurrentContext current(device_);
        cudaStreamDestroy(handle_);
    } catch (const Error&) {  // a lost device; its streams are gone with it
    }
}

void Stream::synchronize() const {
    check(cudaStreamSynchronize(handle_), "cudaStreamSynchronize");
}

void Stream::wait(const Event& event) const {
    check(cudaStreamWaitEvent(handle_, event.handle(), 0), "cudaStreamWaitEvent");
}

bool Stream::capturing() const {
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    check(cudaStreamIsCapturing(handle_, &status), "cudaStreamIsCapturing");
    return status != cudaStreamCaptureStatusNone;
}

}  // namespace lk::cuda
