// Measures LoraKernels beside ONNX Runtime and ggml, both sides in turn in one process, and prints a JSON object a
// cell. Usage: cpu-peers onnxruntime=LIBRARY ggml=FOLDER shapes=KxN,... rows=M,... threads=T,... cases=NAME,...
// rounds=R [avx2=1]
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
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
    bool repacked;

    // As cases= has it: "onnxruntime int4 g128 int8", "ggml q4_0 int8", "ggml q4_0 plain int8".
    std::string format_name() const {
        // ggml repacks no q4_1: there is one only.
        const bool plain = std::string(peer) == "ggml" && !repacked && std::string(format) != "q4_1";
        return name_of(format, group) + (plain ? " plain" : "");
    }
    std::string name() const { return std::string(peer) + " " + format_name() + " " + mode(); }
    const char* mode() const { return int8 ? "int8" : "precise"; }
};

constexpr Case kCases[] = {
    {"onnxruntime", "int4", 128, true, false},  {"onnxruntime", "int4", 32, true, false},
    {"onnxruntime", "int4", 128, false, false}, {"ggml", "q4_0", 32, true, true},
    {"ggml", "q4_k", 32, true, true},           {"ggml", "iq4_nl", 32, true, true},
    {"ggml", "mxfp4", 32, true, true},          {"ggml", "q4_1", 32, true, false},
    {"ggml", "q4_0", 32, true, false},          {"ggml", "q4_k", 32, true, false},
    {"ggml", "iq4_nl", 32, true, false},        {"ggml", "mxfp4", 32, true, false},
};

constexpr int64_t kColdBytes = int64_t(384) << 20;
constexpr int64_t kHotBytes = int64_t(64) << 20;
// With more rows arithmetic takes far longer than reading W: one weight is measured, and counts as hot and cold.
constexpr int64_t kFewRows = 16;
constexpr double kLeastSeconds = 3e-3;  // of a side's part of a round

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

// Returns once the other side's threads sleep, which look out for work for some time after a call: they would take the
// processors that this side's need.
void wait_for_rest() {
    constexpr timespec kPause{0, 2'000'000};
    constexpr double kResting = 1e-4;  // seconds of processors' time in a pause
    constexpr int kMostPauses = 250;
    const auto used = [] {
        timespec time;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
        return double(time.tv_sec) + 1e-9 * double(time.tv_nsec);
    };
    for (int pause = 0; pause < kMostPauses; ++pause) {
        const double before = used();
        nanosleep(&kPause, nullptr);
        if (used() - before < kResting) return;
    }
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
    std::map<std::string, std::string> options;
    bool avx2 = false;

    std::unique_ptr<Side> open_peer(const Case& c, const Job& job) {
        return c.peer == std::string("ggml") ? open_ggml(job, options["ggml"])
                                             : open_onnxruntime(job, options["onnxruntime"]);
    }

    // The cells of a case with weights of one shape that are all hot, or all cold.
    void measure(const Case& c, const Shape& shape, int threads, bool hot, const std::vector<int64_t>& rows) {
        if (rows.empty()) return;
        const Weight weight = random_weight(c.format, c.group, shape);
        const bool is_cold = !hot && rows[0] <= kFewRows;
        const int copies = is_cold ? int(kColdBytes / bytes_of(weight) + 1) : 1;
        const Job job{weight, shape, copies, threads, c.int8, c.repacked, avx2};
        const auto ours = open_ours(job);
        const auto peer = open_peer(c, job);
        for (const int64_t m : rows) {
            std::vector<float> x(size_t(m * shape.k));
            std::mt19937 random(2);
            std::normal_distribution<float> normal;
            for (float& value : x) value = normal(random);
            ours->prepare(x, m);
            peer->prepare(x, m);
            measure_cell(c, weight, shape, x, m, threads, hot, copies, *ours, *peer);
        }
    }

    void measure_cell(const Case& c, const Weight& weight, const Shape& shape, const std::vector<float>& x, int64_t m,
                      int threads, bool hot, int copies, Side& ours, Side& peer) {
        constexpr int64_t kColumns = 32;
        const std::vector<double> expected = reference(weight, shape, x, std::min<int64_t>(m, 4), kColumns);
        const double ours_error = error_of(ours.result(), shape.n, expected, kColumns);
        const double peer_error = error_of(peer.result(), shape.n, expected, kColumns);

        // Both sides in short turns: whatever else this machine does meets both.
        Side* const sides[2] = {&ours, &peer};
        std::vector<double> times[2];
        int repeats[2];
        for (int s = 0; s < 2; ++s) {
            repeats[s] = std::clamp(int(kLeastSeconds / seconds_of(*sides[s], threads)), hot ? 4 : 1, 50);
        }
        for (int round = 0; round < std::stoi(options["rounds"]); ++round) {
            for (int s = 0; s < 2; ++s) {
                if (threads > 1) wait_for_rest();
                // The other side's turn took the cache, and this one's threads may be asleep.
                if (hot || threads > 1) sides[s]->multiply();
                for (int i = 0; i < repeats[s]; ++i) {
                    times[s].push_back(seconds_of(*sides[s], threads) / copies / sides[s]->passes() * 1e6);
                }
            }
        }
        const double ours_us = median(times[0]), peer_us = median(times[1]);
        std::printf(
            "{\"peer\": \"%s\", \"format\": \"%s\", \"mode\": \"%s\", \"isa\": \"%s\", \"k\": %lld, \"n\": %lld, "
            "\"m\": %lld, \"threads\": %d, \"hot\": %s, \"ours_us\": %.1f, \"peer_us\": %.1f, \"ratio\": %.2f, "
            "\"ours_error\": %.1e, \"peer_error\": %.1e, \"weights\": %d, \"weight_bytes\": %lld}\n",
            c.peer, c.format_name().c_str(), c.mode(), avx2 ? "avx2" : "best", static_cast<long long>(shape.k),
            static_cast<long long>(shape.n), static_cast<long long>(m), threads, hot ? "true" : "false", ours_us,
            peer_us, peer_us / ours_us, ours_error, peer_error, copies, static_cast<long long>(bytes_of(weight)));
    }

    void measure_all() {
        avx2 = options["avx2"] == "1";
        std::vector<int64_t> few, many;
        for (const std::string& m : split(options["rows"])) {
            (std::stoll(m) <= kFewRows ? few : many).push_back(std::stoll(m));
        }
        const std::vector<std::string> names = split(options["cases"]);
        for (const std::string& threads : split(options["threads"])) {
            const int number = std::stoi(threads);
            const Limits limits = measure_limits(number);
            std::printf(
                "{\"threads\": %d, \"memory\": %.1f, \"cache\": %.1f, \"vnni\": %.0f, \"fma\": %.0f, \"bf16\": %.0f}\n",
                number, limits.memory, limits.cache, limits.vnni, limits.fma, limits.bf16);
            for (const Case& c : kCases) {
                if (std::find(names.begin(), names.end(), c.name()) == names.end()) continue;
                for (const std::string& kn : split(options["shapes"])) {
                    const Shape shape{std::stoll(kn), std::stoll(kn.substr(kn.find('x') + 1))};
                    measure(c, shape, number, false, few);
                    if (shape.k * shape.n / 2 <= kHotBytes) measure(c, shape, number, true, few);
                    measure(c, shape, number, false, many);
                }
            }
        }
    }
};

}  // namespace
}  // namespace bench

int main(int count, char** arguments) {
    using namespace bench;
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    Program program;
    for (int i = 1; i < count; ++i) {
        const std::string argument = arguments[i];
        const size_t equals = argument.find('=');
        if (equals == std::string::npos) return 2;
        program.options[argument.substr(0, equals)] = argument.substr(equals + 1);
    }
    if (program.options["cases"].empty()) {
        for (const Case& c : kCases) std::printf("%s\n", c.name().c_str());
        return 0;
    }
    program.measure_all();
    return 0;
}
