// What streams do: copies, fills and kernels. A piece of work is immutable, and shared by queues and graphs.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "platform/cuda_emulated/cuda_api.h"

namespace lk::emulated {

class Machine;
struct Context;

// A rule was broken while work ran: the context is lost, as after a fault of a real device.
struct Finding {
    cudaError_t error;
    std::string text;
};

class Work {
  public:
    virtual ~Work() = default;
    // `follows_kernel`: what ran last of all is a kernel, and this work's only predecessor. Throws a Finding.
    virtual void run(Machine& machine, Context& context, bool follows_kernel) const = 0;
    virtual bool is_kernel() const { return false; }
    // Whether it reads or writes page-locked memory within [begin, begin + bytes).
    virtual bool uses_host_memory(const void* begin, size_t bytes) const;
};

using SharedWork = std::shared_ptr<const Work>;

enum class Place { pageable, page_locked, device };

// One side of a copy.
struct CopyEnd {
    char* data;
    size_t pitch;
    Place place;

    // From the first byte to behind the last of `height` rows.
    size_t span(size_t width, size_t height) const { return (height - 1) * pitch + width; }
};

class CopyWork final : public Work {
  public:
    // `width` and `height` are not 0. Pageable memory is read here: the caller may change it when its call returns.
    CopyWork(const CopyEnd& destination, const CopyEnd& source, size_t width, size_t height);

    void run(Machine& machine, Context& context, bool follows_kernel) const override;
    bool uses_host_memory(const void* begin, size_t bytes) const override;

  private:
    CopyEnd destination_;
    CopyEnd source_;
    size_t width_;
    size_t height_;
    std::vector<char> taken_;  // the pageable source's bytes
};

class FillWork final : public Work {
  public:
    FillWork(void* memory, int value, size_t bytes) : memory_(memory), value_(value), bytes_(bytes) {}
    void run(Machine& machine, Context& context, bool follows_kernel) const override;

  private:
    void* memory_;
    int value_;
    size_t bytes_;
};

class KernelWork final : public Work {
  public:
    KernelWork(const cudaLaunchConfig_t& config, bool programmatic, std::shared_ptr<const KernelCall> call);
    void run(Machine& machine, Context& context, bool follows_kernel) const override;
    bool is_kernel() const override { return true; }

  private:
    dim3 grid_;
    dim3 block_;
    uint32_t dynamic_shared_;
    bool programmatic_;
    std::shared_ptr<const KernelCall> call_;
};

}  // namespace lk::emulated
