#include "platform/cpu/thread_pool.h"

#include <algorithm>
#include <exception>

namespace lk::cpu {
namespace {

int processors() {
    return std::clamp<int>(int(std::thread::hardware_concurrency()), 1, ThreadPool::kMaxThreads);
}

// Leaves the processor's units to a thread that shares them.
void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

}  // namespace

ThreadPool& ThreadPool::shared() {
    static ThreadPool& pool = *new ThreadPool();
    return pool;
}

ThreadPool::ThreadPool() : limit_(processors()) {}

void ThreadPool::set_thread_count(int count) {
    const std::lock_guard lock(mutex_);
    limit_ = count == 0 ? processors() : count;
    ring(slot_free_);
    ring(job_available_);
}

int ThreadPool::thread_count() {
    const std::lock_guard lock(mutex_);
    return limit_;
}

// Wakes those who wait, asleep or not. Under the lock.
void ThreadPool::ring(std::condition_variable& bell) {
    rings_.fetch_add(1, std::memory_order_relaxed);
    bell.notify_all();
}

// Returns with the lock held and ready() true.
template <class Ready>
void ThreadPool::wait(std::unique_lock<std::mutex>& lock, std::condition_variable& bell, const Ready& ready) {
    using Clock = std::chrono::steady_clock;
    constexpr int kLooksAtOnce = 16;  // between looks at the clock
    if (ready()) return;
    static const int processor_count = processors();
    if (limit_ > processor_count) return bell.wait(lock, ready);
    for (const Clock::time_point end = Clock::now() + kLookout; Clock::now() < end;) {
        const uint32_t rings = rings_.load(std::memory_order_relaxed);
        lock.unlock();
        do {
            for (int i = 0; i < kLooksAtOnce && rings_.load(std::memory_order_relaxed) == rings; ++i) pause();
        } while (rings_.load(std::memory_order_relaxed) == rings && Clock::now() < end);
        lock.lock();
        if (ready()) return;
    }
    bell.wait(lock, ready);
}

void ThreadPool::run(int64_t count, Function function, const void* object) {
    if (count <= 0) return;
    std::unique_lock lock(mutex_);
    ++waiting_callers_;
    wait(lock, slot_free_, [this] { return computing_ < limit_; });
    --waiting_callers_;
    ++computing_;

    Job job{.function = function, .object = object, .count = count};
    // Few enough items at a time that threads of unequal speed end together, many enough that the lock stays idle.
    job.grain = std::max<int64_t>(1, count / (int64_t(limit_) * 8));
    if (count > 1 && limit_ > 1) {
        job.following = jobs_;
        jobs_ = &job;
        start_workers();
        ring(job_available_);
        work(job, lock);
        // Nothing is left to take; leave the list so that no worker enters, then wait for those inside.
        Job** link = &jobs_;
        while (*link != &job) link = &(*link)->following;
        *link = job.following;
        wait(lock, helper_left_, [&job] { return job.helpers == 0; });
    } else {
        work(job, lock);
    }
    --computing_;
    ring(slot_free_);
    if (jobs_ != nullptr) ring(job_available_);
    lock.unlock();
    if (job.error != nullptr) std::rethrow_exception(job.error);
}

// Takes items until none is left. The lock is held at entry and exit, not while computing.
void ThreadPool::work(Job& job, std::unique_lock<std::mutex>& lock) {
    while (job.next < job.count) {
        const int64_t begin = job.next;
        const int64_t end = std::min(job.count, begin + job.grain);
        job.next = end;
        std::exception_ptr error;
        lock.unlock();
        try {
            for (int64_t item = begin; item < end; ++item) job.function(job.object, item);
        } catch (...) {
            error = std::current_exception();
        }
        lock.lock();
        if (error != nullptr) {
            if (job.error == nullptr) job.error = error;
            job.next = job.count;
        }
    }
}

ThreadPool::Job* ThreadPool::open_job() {
    for (Job* job = jobs_; job != nullptr; job = job->following) {
        if (job->next < job->count) return job;
    }
    return nullptr;
}

void ThreadPool::worker_loop() {
    std::unique_lock lock(mutex_);
    for (;;) {
        Job* job = nullptr;
        wait(lock, job_available_, [&] {
            job = computing_ < limit_ && waiting_callers_ == 0 ? open_job() : nullptr;
            return job != nullptr;
        });
        ++computing_;
        ++job->helpers;
        work(*job, lock);
        --job->helpers;
        --computing_;
        ring(helper_left_);
        ring(slot_free_);
    }
}

void ThreadPool::start_workers() {
    try {
        while (int(workers_.size()) < limit_ - 1) {
            workers_.emplace_back([this] { worker_loop(); });
        }
    } catch (const std::exception&) {
        // The system gives no more threads: the callers and the workers there are do the work.
    }
}

}  // namespace lk::cpu
