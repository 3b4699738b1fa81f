// ggml's CPU backend, from the shared libraries of a llama.cpp build: its C functions, looked up by name. Weights are
// in the repacked buffer type where it has one for them.
#include <dlfcn.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "side.h"
#include "weights.h"

namespace bench {
namespace {

// What ggml.h has as types, enumerators and structures, as far as they are used here.
struct Tensor;
struct Context;
struct Graph;
struct Backend;
struct Device;
struct Registry;
struct BufferType;
struct Buffer;
struct InitParameters {
    size_t bytes;
    void* memory;
    bool without_data;
};
constexpr int kTypeF32 = 0;
constexpr int kDeviceCpu = 0;

int type_of(const std::string& format) {
    if (format == "q4_0") return 2;
    if (format == "q4_1") return 3;
    if (format == "q4_k") return 12;
    return format == "iq4_nl" ? 20 : 39;  // mxfp4
}

// A graph of few weights passes over them several times: its threads are started once for all of it.
constexpr int kFewNodes = 16;

struct Library {
    // With avx2, the build for Haswell: the first backend that is loaded is the one that counts.
    Library(const std::string& folder, bool avx2) : folder_(folder) {
        base_ = open("libggml-base.so");
        main_ = open("libggml.v0.5.0.so");
        find(main_, "ggml_backend_load_all_from_path", load_all);
        find(main_, "ggml_backend_load", load);
        find(main_, "ggml_backend_dev_by_type", device_by_type);
        find(base_, "ggml_backend_dev_init", init_device);
        find(base_, "ggml_backend_dev_backend_reg", registry_of);
        find(base_, "ggml_backend_reg_get_proc_address", procedure);
        find(base_, "ggml_init", init);
        find(base_, "ggml_free", free_context);
        find(base_, "ggml_new_tensor_2d", new_tensor);
        find(base_, "ggml_mul_mat", multiply);
        find(base_, "ggml_new_graph", new_graph);
        find(base_, "ggml_build_forward_expand", expand);
        find(base_, "ggml_backend_alloc_ctx_tensors", allocate);
        find(base_, "ggml_backend_alloc_ctx_tensors_from_buft", allocate_in);
        find(base_, "ggml_backend_tensor_set", set);
        find(base_, "ggml_backend_tensor_get", get);
        find(base_, "ggml_backend_graph_compute", compute);
        find(base_, "ggml_backend_buffer_free", free_buffer);
        if (avx2) {
            load((folder + "/libggml-cpu-haswell.so").c_str());
        } else {
            load_all(folder.c_str());
        }
        device = device_by_type(kDeviceCpu);
        backend = init_device(device, nullptr);
        Registry* const registry = registry_of(device);
        set_threads = reinterpret_cast<void (*)(Backend*, int)>(procedure(registry, "ggml_backend_set_n_threads"));
        extra_types =
            reinterpret_cast<BufferType** (*)(Device*)>(procedure(registry, "ggml_backend_dev_get_extra_bufts"));
    }

    void (*load_all)(const char*);
    Registry* (*load)(const char*);
    Device* (*device_by_type)(int);
    Backend* (*init_device)(Device*, const char*);
    Registry* (*registry_of)(Device*);
    void* (*procedure)(Registry*, const char*);
    Context* (*init)(InitParameters);
    void (*free_context)(Context*);
    Tensor* (*new_tensor)(Context*, int, int64_t, int64_t);
    Tensor* (*multiply)(Context*, Tensor*, Tensor*);
    Graph* (*new_graph)(Context*);
    void (*expand)(Graph*, Tensor*);
    Buffer* (*allocate)(Context*, Backend*);
    Buffer* (*allocate_in)(Context*, BufferType*);
    void (*set)(Tensor*, const void*, size_t, size_t);
    void (*get)(const Tensor*, void*, size_t, size_t);
    int (*compute)(Backend*, Graph*);
    void (*free_buffer)(Buffer*);
    void (*set_threads)(Backend*, int);
    BufferType** (*extra_types)(Device*);
    Device* device;
    Backend* backend;

  private:
    void* open(const char* name) const {
        void* const library = dlopen((folder_ + "/" + name).c_str(), RTLD_NOW | RTLD_GLOBAL);
        if (library == nullptr) fail(dlerror());
        return library;
    }
    template <class Function>
    void find(void* library, const char* name, Function& function) const {
        void* const address = dlsym(library, name);
        if (address == nullptr) fail(name);
        function = reinterpret_cast<Function>(address);
    }
    [[noreturn]] static void fail(const char* what) {
        std::fprintf(stderr, "ggml: %s\n", what);
        std::exit(1);
    }

    std::string folder_;
    void* base_;
    void* main_;
};

class Ggml final : public Side {
  public:
    Ggml(const Job& job, const Library& library) : library_(library), shape_(job.shape), threads_(job.threads) {
        weights_ = library.init({size_t(1) << 20, nullptr, true});
        for (int i = 0; i < job.copies; ++i) {
            tensors_.push_back(library.new_tensor(weights_, type_of(job.weight.format), shape_.k, shape_.n));
        }
        weights_buffer_ = job.repacked ? library.allocate_in(weights_, library.extra_types(library.device)[0])
                                       : library.allocate(weights_, library.backend);
        for (int i = 0; i < job.copies; ++i) {
            const Weight copy = rotated(job.weight, shape_, i);
            library.set(tensors_[size_t(i)], copy.codes.data(), 0, copy.codes.size());
        }
    }
    ~Ggml() override {
        release_rows();
        library_.free_buffer(weights_buffer_);
        library_.free_context(weights_);
    }

    void prepare(const std::vector<float>& x, int64_t rows) override {
        release_rows();
        row_count_ = rows;
        rows_ = library_.init({size_t(16) << 20, nullptr, true});
        Tensor* const x_tensor = library_.new_tensor(rows_, kTypeF32, shape_.k, rows);
        graph_ = library_.new_graph(rows_);
        for (int pass = 0; pass < passes(); ++pass) {
            for (Tensor* weight : tensors_) {
                Tensor* const y = library_.multiply(rows_, weight, x_tensor);
                if (first_ == nullptr) first_ = y;
                library_.expand(graph_, y);
            }
        }
        rows_buffer_ = library_.allocate(rows_, library_.backend);
        library_.set(x_tensor, x.data(), 0, size_t(rows * shape_.k) * sizeof(float));
        library_.set_threads(library_.backend, threads_);
    }
    void multiply() override { library_.compute(library_.backend, graph_); }
    int passes() const override { return row_count_ > 16 ? 1 : std::max(1, kFewNodes / int(tensors_.size())); }
    std::vector<float> result() override {
        multiply();
        std::vector<float> y(size_t(row_count_ * shape_.n));
        library_.get(first_, y.data(), 0, y.size() * sizeof(float));
        return y;
    }

  private:
    void release_rows() {
        if (rows_ == nullptr) return;
        library_.free_buffer(rows_buffer_);
        library_.free_context(rows_);
        rows_ = nullptr;
        first_ = nullptr;
    }

    const Library& library_;
    Shape shape_;
    int threads_;
    int64_t row_count_ = 0;
    Context* weights_;
    Context* rows_ = nullptr;
    Graph* graph_ = nullptr;
    std::vector<Tensor*> tensors_;
    Tensor* first_ = nullptr;
    Buffer* weights_buffer_;
    Buffer* rows_buffer_ = nullptr;
};

}  // namespace

std::unique_ptr<Side> open_ggml(const Job& job, const std::string& folder) {
    static const Library library(folder, job.avx2);
    return std::make_unique<Ggml>(job, library);
}

}  // namespace bench
