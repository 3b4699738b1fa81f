// ONNX Runtime's MatMulNBits, from the shared library of its Node.js package: its C API is a table of functions, whose
// places are part of its ABI. The model is made here: a node for each copy of the weight, all of them with the same x.
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>

#include "side.h"
#include "weights.h"

namespace bench {
namespace {

constexpr uint32_t kApiVersion = 17;
constexpr int kTensorFloat = 1, kTensorUint8 = 2;

// Protocol buffers, as far as ONNX models need them.
class Message {
  public:
    Message& number(int field, int64_t value) {
        varint(uint64_t(field) << 3);
        varint(uint64_t(value));
        return *this;
    }
    Message& bytes(int field, const void* data, size_t size) {
        varint(uint64_t(field) << 3 | 2);
        varint(size);
        text_.append(static_cast<const char*>(data), size);
        return *this;
    }
    Message& text(int field, const std::string& value) { return bytes(field, value.data(), value.size()); }
    Message& message(int field, const Message& value) { return text(field, value.text_); }
    const std::string& encoded() const { return text_; }

  private:
    void varint(uint64_t value) {
        for (; value >= 128; value >>= 7) text_.push_back(char((value & 127) | 128));
        text_.push_back(char(value));
    }
    std::string text_;
};

Message attribute(const char* name, int64_t value) {
    return Message().text(1, name).number(3, value).number(20, 2);
}

// Of any number of rows.
Message matrix(const std::string& name, int64_t columns) {
    const Message shape = Message().message(1, Message().text(2, "rows")).message(1, Message().number(1, columns));
    const Message type = Message().message(1, Message().number(1, kTensorFloat).message(2, shape));
    return Message().text(1, name).message(2, type);
}

std::string output_name(int copy) {
    std::string name = "y";
    return name += std::to_string(copy);
}

std::string model_of(const Job& job) {
    const auto [k, n] = job.shape;
    const int64_t group = job.weight.group;
    Message graph;
    for (int i = 0; i < job.copies; ++i) {
        const std::string id = std::to_string(i);
        // accuracy_level 4: activations in int8; 0: as they are.
        const Message node = Message()
                                 .text(1, "x")
                                 .text(1, "codes" + id)
                                 .text(1, "scales" + id)
                                 .text(2, "y" + id)
                                 .text(3, "matmul" + id)
                                 .text(4, "MatMulNBits")
                                 .message(5, attribute("K", k))
                                 .message(5, attribute("N", n))
                                 .message(5, attribute("bits", 4))
                                 .message(5, attribute("block_size", group))
                                 .message(5, attribute("accuracy_level", job.int8 ? 4 : 0))
                                 .text(7, "com.microsoft");
        graph.message(1, node);
    }
    graph.text(2, "peers");
    for (int i = 0; i < job.copies; ++i) {
        const std::string id = std::to_string(i);
        const Weight copy = rotated(job.weight, job.shape, i);
        graph.message(5, Message()
                             .number(1, n)
                             .number(1, k / group)
                             .number(1, group / 2)
                             .number(2, kTensorUint8)
                             .text(8, "codes" + id)
                             .bytes(9, copy.codes.data(), copy.codes.size()));
        graph.message(5, Message()
                             .number(1, n * (k / group))
                             .number(2, kTensorFloat)
                             .text(8, "scales" + id)
                             .bytes(9, copy.scales.data(), copy.scales.size() * sizeof(float)));
    }
    graph.message(11, matrix("x", k));
    for (int i = 0; i < job.copies; ++i) graph.message(12, matrix(output_name(i), n));
    return Message()
        .number(1, 8)
        .message(7, graph)
        .message(8, Message().text(1, "").number(2, 17))
        .message(8, Message().text(1, "com.microsoft").number(2, 1))
        .encoded();
}

// The places of functions in OrtApi.
enum Place {
    kGetErrorMessage = 2,
    kCreateEnv = 3,
    kCreateSessionFromArray = 8,
    kRun = 9,
    kCreateSessionOptions = 10,
    kSetIntraOpNumThreads = 24,
    kCreateTensorWithData = 49,
    kCreateCpuMemoryInfo = 69,
    kReleaseMemoryInfo = 94,
    kReleaseSession = 95,
    kReleaseValue = 96,
    kReleaseSessionOptions = 100,
};

class Library {
  public:
    explicit Library(const std::string& path) {
        void* const library = dlopen(path.c_str(), RTLD_NOW);
        if (library == nullptr) fail(dlerror());
        struct Base {
            const void* const* (*api)(uint32_t version);
            const char* (*version)();
        };
        const auto base = reinterpret_cast<const Base* (*)()>(dlsym(library, "OrtGetApiBase"))();
        api_ = base->api(kApiVersion);
        call<int, const char*, void**>(kCreateEnv, 3, "peers", &environment);
    }

    // Functions that return a status.
    template <class... Arguments>
    void call(Place place, Arguments... arguments) const {
        const auto function = reinterpret_cast<void* (*)(Arguments...)>(const_cast<void*>(api_[place]));
        void* const status = function(arguments...);
        if (status == nullptr) return;
        fail(reinterpret_cast<const char* (*)(void*)>(const_cast<void*>(api_[kGetErrorMessage]))(status));
    }
    void release(Place place, void* object) const {
        reinterpret_cast<void (*)(void*)>(const_cast<void*>(api_[place]))(object);
    }

    void* environment;

  private:
    [[noreturn]] static void fail(const char* what) {
        std::fprintf(stderr, "onnxruntime: %s\n", what);
        std::exit(1);
    }
    const void* const* api_;
};

class OnnxRuntime final : public Side {
  public:
    OnnxRuntime(const Job& job, const Library& library) : library_(library), shape_(job.shape) {
        void* options;
        library.call<void**>(kCreateSessionOptions, &options);
        library.call<void*, int>(kSetIntraOpNumThreads, options, job.threads);
        const std::string model = model_of(job);
        library.call<void*, const void*, size_t, const void*, void**>(kCreateSessionFromArray, library.environment,
                                                                      model.data(), model.size(), options, &session_);
        library.release(kReleaseSessionOptions, options);
        library.call<int, int, void**>(kCreateCpuMemoryInfo, 0, 0, &memory_);
        results_.resize(size_t(job.copies));
        for (int i = 0; i < job.copies; ++i) names_.push_back(output_name(i));
        for (const std::string& name : names_) name_pointers_.push_back(name.c_str());
    }
    ~OnnxRuntime() override {
        release_values();
        library_.release(kReleaseMemoryInfo, memory_);
        library_.release(kReleaseSession, session_);
    }

    void prepare(const std::vector<float>& x, int64_t rows) override {
        release_values();
        x_ = tensor(const_cast<float*>(x.data()), rows, shape_.k);
        for (std::vector<float>& result : results_) {
            result.resize(size_t(rows * shape_.n));
            y_.push_back(tensor(result.data(), rows, shape_.n));
        }
    }
    void multiply() override {
        const char* const input = "x";
        library_.call<void*, const void*, const char* const*, void* const*, size_t, const char* const*, size_t, void**>(
            kRun, session_, nullptr, &input, &x_, 1, name_pointers_.data(), y_.size(), y_.data());
    }
    std::vector<float> result() override {
        multiply();
        return results_[0];
    }

  private:
    void release_values() {
        if (x_ != nullptr) library_.release(kReleaseValue, x_);
        for (void* y : y_) library_.release(kReleaseValue, y);
        y_.clear();
    }
    void* tensor(float* data, int64_t rows, int64_t columns) const {
        const int64_t dimensions[] = {rows, columns};
        void* value;
        library_.call<void*, void*, size_t, const int64_t*, size_t, int, void**>(kCreateTensorWithData, memory_, data,
                                                                                 size_t(rows * columns) * sizeof(float),
                                                                                 dimensions, 2, kTensorFloat, &value);
        return value;
    }

    const Library& library_;
    Shape shape_;
    void* session_ = nullptr;
    void* memory_ = nullptr;
    void* x_ = nullptr;
    std::vector<void*> y_;
    std::vector<std::vector<float>> results_;
    std::vector<std::string> names_;
    std::vector<const char*> name_pointers_;
};

}  // namespace

std::unique_ptr<Side> open_onnxruntime(const Job& job, const std::string& path) {
    static const Library library(path);
    return std::make_unique<OnnxRuntime>(job, library);
}

}  // namespace bench
