// Measures LoraKernels beside ONNX Runtime and ggml, both sides in turn in one process, and writes a JSON list.
// Usage: cpu-peers ONNXRUNTIME_LIBRARY GGML_FOLDER OUT.json KxN,... M,... THREADS,... ROUNDS
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <sstream>

#include "limits.h"
#include "weights.h"

namespace bench {
namespace {

struct Case {
    const char* peer;
    const char* format;
    int64_t group;
    bool int8;
};

constexpr Case kCases[] = {
    {"onnxruntime", "int4", 128, true}, {"onnxruntime", "int4", 32, true}, {"onnxruntime", "int4", 128, false},
    {"ggml", "q4_0", 32, true},         {"ggml", "q4_k", 32, true},        {"ggml", "iq4_nl", 32, true},
};

constexpr int64_t kColdBytes = int64_t(384) << 20;
constexpr int64_t kHotBytes = int64_t(64) << 20;

std::vector<std::string> split(const std::string& list) {
    std::vector<std::string> parts;
    std::stringstream stream(list);
    for (std::string part; std::getline(stream, part, ',');) parts.push_back(part);
    return parts;
}

// Of one thread the processor's time is taken, in which other programs have no part but in caches and memory; of more
// threads, that which passes.
double seconds_of(Side& side, int threads) {
    const clockid_t clock = threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
    timespec begin, end;
    clock_gettime(clock, &begin);
    side.multiply();
    clock_gettime(clock, &end);
    return double(end.tv_sec - begin.tv_sec) + 1e-9 * double(end.tv_nsec - begin.tv_nsec);
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

// Of the norm, over the columns of the reference.
double error_of(const std::vector<float>& y, int64_t n, const std::vector<double>& expected, int64_t columns) {
    double difference = 0, norm = 0;
    for (size_t i = 0; i < expected.size(); ++i) {
        const double e = expected[i];
        const double d = double(y[i / size_t(columns) * size_t(n) + i % size_t(columns)]) - e;
        difference += d * d;
        norm += e * e;
    }
    return std::sqrt(difference / norm);
}

struct Program {
    std::string onnxruntime;
    std::string ggml;
    std::FILE* out;
    int rounds;
    bool first = true;

    void measure(const Case& c, const Shape& shape, int threads, bool hot) {
        const Weight weight = random_weight(c.format, c.group, shape);
        std::vector<float> x(size_t(shape.m * shape.k));
        std::mt19937 random(2);
        std::normal_distribution<float> normal;
        for (float& value : x) value = normal(random);
        // Where arithmetic takes far longer than reading W, a few copies are as good as many.
        const int64_t cold_bytes = shape.m <= 16 ? kColdBytes : kColdBytes / 8;
        const int copies = hot ? 1 : int(cold_bytes / bytes_of(weight) + 1);
        const Job job{weight, shape, x, copies, threads, c.int8};
        const auto ours = open_ours(job);
        const auto peer = std::string(c.peer) == "ggml" ? open_ggml(job, ggml) : open_onnxruntime(job, onnxruntime);

        constexpr int64_t kColumns = 32;
        const int64_t rows = std::min<int64_t>(shape.m, 4);
        const std::vector<double> expected = reference(weight, shape, x, rows, kColumns);
        const double ours_error = error_of(ours->result(), shape.n, expected, kColumns);
        const double peer_error = error_of(peer->result(), shape.n, expected, kColumns);

        // Many short rounds: whatever else this machine does meets both sides.
        std::vector<double> ours_times, peer_times;
        const int repeats = hot && shape.m <= 16 ? 20 : 1;
        for (int round = 0; round < rounds; ++round) {
            for (int i = 0; i < repeats; ++i) ours_times.push_back(seconds_of(*ours, threads) / copies * 1e6);
            for (int i = 0; i < repeats; ++i) peer_times.push_back(seconds_of(*peer, threads) / copies * 1e6);
        }
        const double ours_us = median(ours_times), peer_us = median(peer_times);
        std::string format = c.format;
        if (format == "int4") format += " g" + std::to_string(c.group);
        std::fprintf(
            out,
            "%s{\"peer\": \"%s\", \"format\": \"%s\", \"mode\": \"%s\", \"k\": %lld, \"n\": %lld, \"m\": %lld, "
            "\"threads\": %d, \"hot\": %s, \"ours_us\": %.1f, \"peer_us\": %.1f, \"ratio\": %.2f, "
            "\"ours_error\": %.1e, \"peer_error\": %.1e}",
            first ? "[\n" : ",\n", c.peer, format.c_str(), c.int8 ? "int8" : "precise", static_cast<long long>(shape.k),
            static_cast<long long>(shape.n), static_cast<long long>(shape.m), threads, hot ? "true" : "false", ours_us,
            peer_us, peer_us / ours_us, ours_error, peer_error);
        std::fflush(out);
        std::printf("%-11s %-9s %-7s %lldx%lld M=%-4lld %d threads %s: %9.1f us, peer %9.1f us, ratio %.2f\n", c.peer,
                    format.c_str(), c.int8 ? "int8" : "precise", static_cast<long long>(shape.k),
                    static_cast<long long>(shape.n), static_cast<long long>(shape.m), threads, hot ? "hot " : "cold",
                    ours_us, peer_us, peer_us / ours_us);
        first = false;
    }
};

}  // namespace
}  // namespace bench

int main(int count, char** arguments) {
    using namespace bench;
    if (count != 8) {
        std::fprintf(stderr, "usage: cpu-peers ONNXRUNTIME GGML_FOLDER OUT.json KxN,... M,... THREADS,... ROUNDS\n");
        return 2;
    }
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    Program program{arguments[1], arguments[2], std::fopen(arguments[3], "w"), std::atoi(arguments[7])};
    if (program.out == nullptr) return 2;
    for (const std::string& threads : split(arguments[6])) {
        const int number = std::atoi(threads.c_str());
        const Limits limits = measure_limits(number);
        std::printf("limits, %d threads: memory %.1f GB/s, VNNI %.0f GOP/s, FMA %.0f GFLOP/s\n", number, limits.memory,
                    limits.vnni, limits.fma);
        for (const std::string& kn : split(arguments[4])) {
            Shape shape{};
            shape.k = std::atoll(kn.c_str());
            shape.n = std::atoll(kn.c_str() + kn.find('x') + 1);
            for (const std::string& m : split(arguments[5])) {
                shape.m = std::atoll(m.c_str());
                for (const Case& c : kCases) {
                    program.measure(c, shape, number, false);
                    if (shape.k * shape.n / 2 <= kHotBytes) program.measure(c, shape, number, true);
                }
            }
        }
    }
    std::fprintf(program.out, "\n]\n");
    return std::fclose(program.out) == 0 ? 0 : 1;
}
