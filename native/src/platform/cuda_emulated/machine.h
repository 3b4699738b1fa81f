// The emulated machine: its devices, contexts, streams, events and graphs, behind one lock.
#pragma once

#include <map>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "platform/cuda_emulated/graph.h"
#include "platform/cuda_emulated/handle_table.h"
#include "platform/cuda_emulated/page_locked.h"
#include "platform/cuda_emulated/physical_memory.h"
#include "platform/cuda_emulated/queue.h"
#include "platform/cuda_emulated/settings.h"

namespace lk::emulated {

struct Context {
    int device = 0;
    unsigned long long id = 0;
    CUcontext handle = nullptr;
    bool primary = false;
    int retained = 0;                 // a primary context ends when nobody retains it any more
    cudaError_t error = cudaSuccess;  // once set, every call in the context returns it
    std::string error_text;
    size_t memory_bytes = 0;                           // device memory that is allocated
    std::map<const void*, int> dynamic_shared_limits;  // of kernels that asked for more
};

// Whether all of [memory, memory + bytes) lies in one allocation of the context's device memory, or in addresses that
// its device has access to.
bool holds_device_memory(const Context& context, const void* memory, size_t bytes);

// What the machine knows of a calling thread.
struct Thread {
    std::vector<CUcontext> contexts;  // the last one is current
    cudaError_t last_error = cudaSuccess;
    cudaStreamCaptureMode capture_mode = cudaStreamCaptureModeGlobal;
};

class Machine {
  public:
    static Machine& instance();
    static Thread& thread();

    // Every call into the machine holds it, work included.
    std::recursive_mutex mutex;

    lk_emulated_options settings;
    std::string settings_error;  // what is wrong with LORAKERNELS_EMULATED
    lk_emulated_statistics statistics;
    std::set<lk_emulated_failure> failures;  // to be met once each

    HandleTable<CUcontext, Context> contexts;
    HandleTable<cudaStream_t, Stream> streams;
    HandleTable<cudaEvent_t, Event> events;
    HandleTable<cudaGraph_t, std::shared_ptr<Graph>> graphs;
    HandleTable<cudaGraphExec_t, Executable> executables;
    PageLockedMemory page_locked;
    PhysicalMemory physical;

    // cudaSuccess when there are devices; else why there are none.
    cudaError_t availability();
    bool take_failure(lk_emulated_failure failure) { return failures.erase(failure) != 0; }

    // A number below `count`, by the seed.
    size_t choose(size_t count);
    uint64_t next_seed() { return random_(); }
    void seed(uint64_t value) { random_.seed(value); }

    CUcontext primary_context(int device);  // made when it is first asked for
    CUcontext create_context(int device, bool primary);
    // Its memory, streams, events and graphs go with it.
    void destroy_context(CUcontext handle);

    // One step of some stream that can go on, chosen by the seed. False: no stream can.
    bool advance();
    // Advances until `done()`; false if the streams stop before that.
    template <class Done>
    bool advance_until(Done done) {
        while (!done()) {
            if (!advance()) return false;
        }
        return true;
    }
    // Runs work of a queue; `may_follow`: the queue's last work is its only predecessor.
    void run(const Work& work, Context& context, const void* queue, bool may_follow);
    // What comes next waits for more than the kernel before it.
    void break_kernel_sequence() { last_kernel_of_ = nullptr; }
    bool idle(const Context& context) const;
    size_t memory_bytes_of(int device) const;

    // Ends everything that is enqueued in the context.
    void lose(Context& context, const Finding& finding);

  private:
    Machine();

    std::mt19937_64 random_;
    const void* last_kernel_of_ = nullptr;  // the queue of the work that ran last of all, if that is a kernel
    unsigned long long next_context_id_ = 1;
};

}  // namespace lk::emulated
