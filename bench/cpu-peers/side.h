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
    int64_t m;
};

// A weight in its checkpoint's bytes.
struct Weight {
    std::string format;          // q4_0, q4_k, iq4_nl as GGUF has them; int4 as ONNX's MatMulNBits does
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

    // x times each of the weights.
    virtual void multiply() = 0;
    // The first weight's result, [m, n].
    virtual std::vector<float> result() = 0;
};

struct Job {
    const Weight& weight;
    Shape shape;
    const std::vector<float>& x;
    int copies;  // of the weight: more bytes than the last-level cache has for "cold", one for "hot"
    int threads;
    bool int8;  // activations in 8 bits, on both sides
};

std::unique_ptr<Side> open_ours(const Job& job);
std::unique_ptr<Side> open_onnxruntime(const Job& job, const std::string& library);
std::unique_ptr<Side> open_ggml(const Job& job, const std::string& folder);

}  // namespace bench
