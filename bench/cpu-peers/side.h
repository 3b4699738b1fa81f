// One side of a comparison: some weights of one shape, each multiplied once with the same rows of x.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace bench {

struct Shape {
    int64_t k;
    int64_t n;
};

// A weight in its checkpoint's bytes.
struct Weight {
    std::string format;          // q4_0, q4_1, q4_k, iq4_nl, mxfp4 as GGUF has them; int4 as ONNX's MatMulNBits does
    int64_t group;               // of int4
    std::vector<uint8_t> codes;  // with the scales of GGUF formats
    std::vector<float> scales;   // of int4
};

class Side {
  public:
    Side() = default;
    Side(const Side&) = delete;
    Side& operator=(const Side&) = delete;
    virtual ~Side() = default;

    // What the following calls multiply: x is [rows, k] and lives as long as they do.
    virtual void prepare(const std::vector<float>& x, int64_t rows) = 0;
    // x times each of the weights, `passes` times.
    virtual void multiply() = 0;
    // The first weight's result, [rows, n].
    virtual std::vector<float> result() = 0;
    // How often multiply() passes over the weights: more than once where a call has costs that its users share out.
    virtual int passes() const { return 1; }
};

struct Job {
    const Weight& weight;
    Shape shape;
    int copies;  // of the weight, each of different bytes: a peer may share equal ones
    int threads;
    bool int8;      // activations in 8 bits, on both sides
    bool repacked;  // ggml: in its repacked buffer type
    bool avx2;      // no newer instructions
};

std::unique_ptr<Side> open_ours(const Job& job);
std::unique_ptr<Side> open_onnxruntime(const Job& job, const std::string& library);
std::unique_ptr<Side> open_ggml(const Job& job, const std::string& folder);

}  // namespace bench
