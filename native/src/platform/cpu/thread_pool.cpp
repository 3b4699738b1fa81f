#include "platform/cpu/thread_pool.h"

#include <algorithm>
#include <exception>

namespace lk::cpu {
namespace {

int processors() {
    return std::clamp<int>(int(std::thread::hardware_concurrency()), 1, ThreadPool::kMaxThreads);
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
    slot_free_.notify_all();
    job_available_.notify_all();
}

int ThreadPool::thread_count() {
    const std::lock_guard lock(mutex_);
    return limit_;
}

void ThreadPool::run(int64_t count, Function function, const void* object) {
    if (count <= 0) return;
    std::unique_lock lock(mutex_);
    ++waiting_callers_;
    slot_free_.wait(lock, [this] { return computing_ < limit_; });
    --waiting_callers_;
    ++computing_;

    Job job{.function = function, .object = object, .count = count};
    // Few enough items at a time that threads of unequal speed end together, many enough that the lock stays idle.
    job.grain = std::max<int64_t>(1, count / (int64_t(limit_) * 8));
    if (count > 1 && limit_ > 1) {
        job.following = jobs_;
        jobs_ = &job;
        start_workers();
        job_available_.notify_all();
        work(job, lock);
        // Nothing is left to take; leave the list so that no worker enters, then wait for those inside.
        Job** link = &jobs_;
        while (*link != &job) link = &(*link)->following;
        *link = job.following;
        helper_left_.wait(lock, [&job] { return job.helpers == 0; });
    } else {
        work(job, lock);
    }
    --computing_;
    slot_free_.notify_one();
    if (jobs_ != nullptr) job_available_.notify_one();
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
        job_available_.wait(lock, [&] {
            job = computing_ < limit_ && waiting_callers_ == 0 ? open_job() : nullptr;
            return job != nullptr;
        });
        ++computing_;
        ++job->helpers;
        work(*job, lock);
        --job->helpers;
        --computing_;
        helper_left_.notify_all();
        slot_free_.notify_one();
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
