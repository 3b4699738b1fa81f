// Compiled for the machine it runs on.
#include "limits.h"

#include <immintrin.h>
#include <sys/mman.h>
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

namespace bench {
namespace {

constexpr size_t kBytes = size_t(640) << 20;
constexpr size_t kCachedBytes = size_t(8) << 20;
constexpr int kCachedPasses = 20;

// Seconds until all threads have done work(thread), of one thread the processor's; the median of five.
template <class Work>
double time_of(int threads, const Work& work) {
    std::vector<double> seconds;
    for (int round = 0; round < 5; ++round) {
        const clockid_t clock = threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
        timespec begin, end;
        clock_gettime(clock, &begin);
        std::vector<std::thread> others;
        for (int t = 1; t < threads; ++t) others.emplace_back([&work, t] { work(t); });
        work(0);
        for (std::thread& other : others) other.join();
        clock_gettime(clock, &end);
        seconds.push_back(double(end.tv_sec - begin.tv_sec) + 1e-9 * double(end.tv_nsec - begin.tv_nsec));
    }
    std::sort(seconds.begin(), seconds.end());
    return seconds[2];
}

volatile uint64_t sink;

#if defined(__AVX512F__)
using Register = __m512i;
Register load(const char* p) {
    return _mm512_load_si512(p);
}
Register add(Register a, Register b) {
    return _mm512_add_epi64(a, b);
}
#else
using Register = __m256i;
Register load(const char* p) {
    return _mm256_load_si256(reinterpret_cast<const Register*>(p));
}
Register add(Register a, Register b) {
    return _mm256_add_epi64(a, b);
}
#endif
constexpr size_t kStride = sizeof(Register);

void read(const char* p, size_t bytes) {
    Register sums[4] = {};
    for (size_t i = 0; i < bytes; i += 4 * kStride) {
        for (size_t j = 0; j < 4; ++j) sums[j] = add(sums[j], load(p + i + j * kStride));
    }
    const Register sum = add(add(sums[0], sums[1]), add(sums[2], sums[3]));
    uint64_t first;
    std::memcpy(&first, &sum, sizeof first);
    sink = first;
}

// Independent sums, more than an instruction's latency needs. The loop over them is unrolled, or they lie in memory.
constexpr int kChains = 12;
constexpr int64_t kRounds = 1'000'000;

#if defined(__AVX512F__)
using Floats = __m512;
#else
using Floats = __m256;
#endif

#define LK_BENCH_INSTRUCTION(name, instruction)                                                                  \
    void name(int) {                                                                                             \
        Floats sums[kChains] = {};                                                                               \
        const Floats factor = {};                                                                                \
        for (int64_t i = 0; i < kRounds; ++i) {                                                                  \
            _Pragma("GCC unroll 12") for (auto& sum : sums) asm volatile(instruction " %1, %1, %0" : "+v"(sum) : \
                                                                         "v"(factor));                           \
        }                                                                                                        \
    }
LK_BENCH_INSTRUCTION(multiply_add, "vfmadd231ps")
#if defined(__AVX512VNNI__)
LK_BENCH_INSTRUCTION(dot_bytes, "vpdpbusd")
#endif
#if defined(__AVX512BF16__)
LK_BENCH_INSTRUCTION(dot_bfloats, "vdpbf16ps")
#endif
#undef LK_BENCH_INSTRUCTION

}  // namespace

Limits measure_limits(int threads) {
    auto* const memory = static_cast<char*>(std::aligned_alloc(size_t(2) << 20, kBytes));
    madvise(memory, kBytes, MADV_HUGEPAGE);
    std::fill(memory, memory + kBytes, char(1));
    const size_t part = kBytes / size_t(threads) / (4 * kStride) * (4 * kStride);
    const size_t cached = kCachedBytes / size_t(threads);
    const double reading = time_of(threads, [&](int t) { read(memory + size_t(t) * part, part); });
    const double rereading = time_of(threads, [&](int t) {
        for (int pass = 0; pass < kCachedPasses; ++pass) read(memory + size_t(t) * cached, cached);
    });
    std::free(memory);
    Limits limits{};
    limits.memory = double(part) * threads / reading * 1e-9;
    limits.cache = double(cached) * threads * kCachedPasses / rereading * 1e-9;
    const double instructions = double(kChains) * double(kRounds) * threads * 1e-9;
    limits.fma = instructions * 2 * double(kStride / 4) / time_of(threads, multiply_add);
#if defined(__AVX512VNNI__)
    limits.vnni = instructions * 2 * double(kStride) / time_of(threads, dot_bytes);
#endif
#if defined(__AVX512BF16__)
    limits.bf16 = instructions * double(kStride) / time_of(threads, dot_bfloats);
#endif
    return limits;
}

}  // namespace bench
