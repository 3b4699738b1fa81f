// The state of a running launch: lanes (CUDA threads, one fiber each), warps, blocks, and what they share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "platform/cuda_emulated/bank_conflicts.h"
#include "platform/cuda_emulated/clock.h"
#include "platform/cuda_emulated/executor.h"
#include "platform/cuda_emulated/fiber.h"
#include "platform/cuda_emulated/shadow.h"
#include "platform/cuda_emulated/site.h"
#include "platform/cuda_emulated/tensor_map.h"
#include "platform/cuda_emulated/vector_types.h"

namespace lk::emulated {

inline constexpr uint32_t warp_size = 32;
inline constexpr uint32_t all_lanes = 0xffffffffu;
// fp16 NaN in both halves; NaN as bf16 and fp32 too.
inline constexpr uint32_t poison_word = 0x7fff7fffu;
// Of each block: more than any device has.
inline constexpr size_t shared_window_bytes = 256 * 1024;

struct Block;
struct Lane;
struct Warp;

// ---- What a lane has under way --------------------------------------------------------------------------------------

struct CpAsync {
    char* shared;
    const char* global;
    uint16_t bytes;
    uint16_t source_bytes;
    bool landed;
    Site site;
    uint32_t row = 0;   // of the clocks: the mbarrier whose arrival has waited for it; 0: none
    uint32_t tick = 0;  // in that row
};

struct BulkStore {
    TensorMap map;  // a plain store is a tensor of one dimension, of bytes
    char* shared;
    int32_t corner[3];
    uint32_t bytes;  // read from shared memory
    bool read;       // the source has been read
    std::vector<char> data;
    Site site;
};

// Operations in the order of their start, closed into groups by commits.
template <class Operation>
struct Groups {
    std::deque<Operation> operations;
    std::deque<uint32_t> committed;  // operations in each group
    uint32_t open = 0;
    uint64_t retired = 0;  // operations that are over

    void add(Operation&& operation) {
        operations.push_back(std::move(operation));
        ++open;
    }
    void commit() {
        committed.push_back(open);
        open = 0;
    }
    // How many operations are in all groups but the last `pending`.
    size_t due(size_t pending) const {
        size_t count = 0;
        for (size_t i = 0; i + pending < committed.size(); ++i) count += committed[i];
        return count;
    }
    // Drops the groups but the last `pending`.
    void retire(size_t pending) {
        while (committed.size() > pending) {
            operations.erase(operations.begin(), operations.begin() + committed.front());
            retired += committed.front();
            committed.pop_front();
        }
    }
    void clear() {
        operations.clear();
        committed.clear();
        open = 0;
        retired = 0;
    }
};

struct Lane {
    void* stack_pointer = nullptr;
    char* stack = nullptr;  // the lowest address, a guard page
    Block* block = nullptr;
    Warp* warp = nullptr;
    uint3 thread{};
    uint16_t index = 0;  // in the block
    uint8_t number = 0;  // in the warp
    bool done = false;
    const char* doing = nullptr;  // the last primitive, and where: for reports
    Site site;

    uint32_t tick = 1;
    Clock* own = nullptr;  // what this lane knows beyond its warp; null: nothing
    // What its last fence made public through relaxed atomics on shared, on any memory.
    const ForeignClocks* released_to_block = nullptr;
    const ForeignClocks* released = nullptr;
    // What relaxed atomics have read, to be known after a fence.
    const ForeignClocks* unacquired = nullptr;

    Groups<CpAsync> copies;
    Groups<BulkStore> stores;

    uint32_t bit() const { return 1u << number; }
};

// ---- Warps ----------------------------------------------------------------------------------------------------------

// A collective that some lanes have reached.
struct Collective {
    const char* name;
    uint32_t mask;
    uint32_t arrived;
    Site site;
    void* arguments[warp_size];
};

struct WgmmaState;

struct Warp {
    Block* block = nullptr;
    Lane* lanes = nullptr;
    uint32_t number = 0;
    uint32_t existing = 0;  // lanes that the block has
    uint32_t exited = 0;
    uint32_t runnable = 0;
    uint32_t open_count = 0;
    Collective open[warp_size];

    Clock* base = nullptr;            // what all lanes know
    uint32_t collective_tick = 0;     // of collective_row + number
    uint32_t registers = 0;           // of each thread
    SharedInstructions instructions;  // plain accesses to shared memory since the last collective
    bool wgmma_in_flight = false;
    std::unique_ptr<WgmmaState> wgmma;

    Warp();
    ~Warp();
    uint32_t alive() const { return existing & ~exited; }
};

// ---- Blocks ---------------------------------------------------------------------------------------------------------

struct NamedBarrier {
    uint32_t arrived = 0;   // threads
    uint32_t expected = 0;  // 0: all threads of the block that have not exited
    uint32_t waiting[max_warps] = {};
    Site site[max_warps];
    Clock* clock = nullptr;  // of those who arrived without waiting
    uint32_t any = 0;        // lanes with the predicate
    uint32_t count_true = 0;
    bool result_any = false;
    bool result_all = false;
};

struct MBarrier {
    uint64_t* address = nullptr;
    uint32_t row = 0;  // in clocks
    uint32_t count = 0;
    uint32_t pending = 0;  // arrivals
    int64_t bytes = 0;     // expected and not landed
    uint32_t phase = 0;
    bool fenced = false;  // fence_mbarrier_init came after the init
    uint16_t initialiser = 0;
    uint32_t init_tick = 0;
    Site site;
    Clock* arriving = nullptr;
    Clock* completed = nullptr;
    std::vector<Lane*> waiters;
};

// A load of the copy engine, or the cp.async of a lane that an mbarrier waits for.
struct AsyncLoad {
    TensorMap map;
    char* shared;
    int32_t corner[3];
    uint32_t bytes;
    uint64_t* mbarrier;
    Lane* copies_of;  // not null: the cp.async of this lane up to number `copies`, then an arrival
    uint64_t copies;
    Site site;
};

struct Run;

struct Block {
    Run* run = nullptr;
    uint32_t number = 0;
    uint3 index{};
    uint32_t threads = 0;
    uint32_t warp_count = 0;
    uint32_t alive = 0;           // threads
    uint32_t runnable_warps = 0;  // a bit a warp
    uint32_t current_warp = 0;
    std::vector<std::unique_ptr<Warp>> warps;
    std::vector<Lane> lanes;
    NamedBarrier barriers[16];

    char* shared = nullptr;  // the window of shared memory
    uint32_t shared_bytes = 0;
    std::map<const void*, uint32_t> statics;  // offsets
    std::vector<Cell> shadow;                 // of shared memory, one a word
    CellPool cells;

    std::vector<std::unique_ptr<MBarrier>> mbarriers;
    std::vector<AsyncLoad> loads;   // under way
    Clock* proxy_fenced = nullptr;  // plain stores that a proxy fence has shown to the async proxy
    int64_t free_registers = 0;
    std::vector<Lane*> waiting_for_registers;

    StackPool stacks;

    ~Block();
    bool owns_window(const void* address) const {
        return size_t(static_cast<const char*>(address) - shared) < shared_window_bytes;
    }
    bool owns_shared(const void* address) const {
        return size_t(static_cast<const char*>(address) - shared) < shared_bytes;
    }
    uint32_t offset(const void* address) const { return uint32_t(static_cast<const char*>(address) - shared); }
};

// ---- The launch -----------------------------------------------------------------------------------------------------

struct Spinner {
    const uint32_t* address;
    uint32_t value;
    Lane* lane;
};

struct Run {
    const Launch* launch = nullptr;
    const Options* options = nullptr;
    LaunchReport* report = nullptr;
    uint64_t id = 0;  // of the launch, in the process
    uint64_t random = 1;
    void* main_stack_pointer = nullptr;
    bool aborting = false;
    uint64_t block_count = 0;
    uint64_t next_block = 0;  // in the seeded order
    uint64_t block_stride = 1;
    uint32_t resident_limit = 1;
    uint32_t shared_at_launch = 0;
    std::vector<Block*> resident;
    std::vector<Spinner> spinners;
    std::unordered_map<uintptr_t, const ForeignClocks*> flags;  // what was released at an address
    uint64_t polls = 0;                                         // of flags and mbarriers since anything else happened

    uint32_t next_random() {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        return uint32_t(random >> 32);
    }
    bool one_in(uint32_t n) { return next_random() % n == 0; }
    bool checked() const { return options->checked; }
};

// The fiber that runs on this OS thread; null in host code.
extern thread_local constinit Lane* current_lane __attribute__((tls_model("initial-exec")));
// The same in checked runs; null in others.
extern thread_local constinit Lane* watched_lane __attribute__((tls_model("initial-exec")));

inline Run& current_run() {
    return *current_lane->block->run;
}

}  // namespace lk::emulated
