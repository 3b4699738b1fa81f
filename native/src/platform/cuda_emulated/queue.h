// Streams as queues of tasks. A task waits in its stream until something makes the machine go on.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "platform/cuda_emulated/work.h"

namespace lk::emulated {

struct Capture;

// Reached by a stream, awaited by others.
struct Mark {
    bool reached = false;
};

class Task {
  public:
    virtual ~Task() = default;
    virtual bool ready() const { return true; }
    // Goes on by one step. True: the task is done. Throws a Finding.
    virtual bool step(Machine& machine, Context& context) = 0;
    // The context is lost: nothing runs any more, but others may wait for what would have been reached.
    virtual void abandon() {}
    virtual bool uses_host_memory(const void*, size_t) const { return false; }
};

class WorkTask final : public Task {
  public:
    // `queue` is the address of what the task is in.
    WorkTask(SharedWork work, const void* queue) : work_(std::move(work)), queue_(queue) {}
    bool step(Machine& machine, Context& context) override;
    bool uses_host_memory(const void* begin, size_t bytes) const override;

  private:
    SharedWork work_;
    const void* queue_;
};

class RecordTask final : public Task {
  public:
    explicit RecordTask(std::shared_ptr<Mark> mark) : mark_(std::move(mark)) {}
    bool step(Machine&, Context&) override;
    void abandon() override { mark_->reached = true; }

  private:
    std::shared_ptr<Mark> mark_;
};

class WaitTask final : public Task {
  public:
    explicit WaitTask(std::shared_ptr<const Mark> mark) : mark_(std::move(mark)) {}
    bool ready() const override { return mark_->reached; }
    bool step(Machine& machine, Context&) override;

  private:
    std::shared_ptr<const Mark> mark_;
};

struct Stream {
    Context* context = nullptr;
    bool destroyed = false;  // its handle is gone; it ends when its tasks are done
    std::deque<std::unique_ptr<Task>> tasks;

    std::shared_ptr<Capture> capture;  // while it is being captured
    std::vector<int> frontier;         // the nodes of the capture that the next one comes after
};

struct Event {
    Context* context = nullptr;
    std::shared_ptr<Mark> mark;  // of the last record; none before the first

    std::shared_ptr<Capture> capture;  // the last record was captured
    std::vector<int> frontier;
};

}  // namespace lk::emulated
