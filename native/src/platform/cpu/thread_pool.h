// The threads that all CPU operations of the process share.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace lk::cpu {

// Runs loops over independent items. At most thread_count() threads compute at a time, callers included, however many
// call at once: a caller beyond that waits for its turn. Which thread computes an item never changes its result.
class ThreadPool {
  public:
    static constexpr int kMaxThreads = 1024;
    // A thread with nothing to do looks out for work this long before it sleeps: an operation is several loops, and a
    // layer several operations. With more threads than processors none looks out.
    static constexpr std::chrono::microseconds kLookout{50};

    // Never destroyed: its threads may outlive static destruction.
    static ThreadPool& shared();

    // 0: one per processor this process may use.
    void set_thread_count(int count);
    int thread_count();

    // Calls body(0) ... body(count - 1), each once, and returns when all are done. When a body throws, items not yet
    // begun are left out and the first exception is thrown to the caller.
    template <class Body>
    void parallel_for(int64_t count, const Body& body) {
        run(
            count, [](const void* object, int64_t item) { (*static_cast<const Body*>(object))(item); }, &body);
    }

  private:
    using Function = void (*)(const void* object, int64_t item);

    struct Job {
        Function function;
        const void* object;
        int64_t count;
        int64_t next = 0;   // first item nobody has taken
        int64_t grain = 1;  // items taken at a time
        int helpers = 0;    // workers inside
        std::exception_ptr error = nullptr;
        Job* following = nullptr;
    };

    ThreadPool();
    void run(int64_t count, Function function, const void* object);
    void work(Job& job, std::unique_lock<std::mutex>& lock);
    Job* open_job();
    void worker_loop();
    void start_workers();
    template <class Ready>
    void wait(std::unique_lock<std::mutex>& lock, std::condition_variable& bell, const Ready& ready);
    void ring(std::condition_variable& bell);

    std::mutex mutex_;
    std::condition_variable job_available_;
    std::condition_variable slot_free_;
    std::condition_variable helper_left_;
    Job* jobs_ = nullptr;
    int limit_;
    int computing_ = 0;        // threads inside a job
    int waiting_callers_ = 0;  // served before workers
    // How often a bell was rung. Written under the lock; those who look out read it without.
    std::atomic<uint32_t> rings_{0};
    std::vector<std::thread> workers_;
};

}  // namespace lk::cpu
