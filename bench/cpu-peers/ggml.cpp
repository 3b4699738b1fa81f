// ggml's CPU backend, from the shared libraries of a llama.cpp build: its C functions, looked up by name. Weights are
// in the repacked buffer type where it has one for them.
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "side.h"

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
    return format == "q4_0" ? 2 : format == "q4_k" ? 12 : 20;
}

struct Library {
    explicit Library(const std::string& folder) : folder_(folder) {
        base_ = open("libggml-base.so");
        main_ = open("libggml.v0.5.0.so");
        find(main_, "ggml_backend_load_all_from_path", load_all);
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
        load_all(folder.c_str());
        device = device_by_type(kDeviceCpu);
        backend = init_device(device, nullptr);
        Registry* const registry = registry_of(device);
        set_threads = reinterpret_cast<void (*)(Backend*, int)>(procedure(registry, "ggml_backend_set_n_threads"));
        extra_types =
            reinterpret_cast<BufferType** (*)(Device*)>(procedure(registry, "ggml_backend_dev_get_extra_bufts"));
    }

    void (*load_all)(const char*);
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
        rows_ = library.init({size_t(16) << 20, nullptr, true});
        std::vector<Tensor*> weights;
        for (int i = 0; i < job.copies; ++i) {
            weights.push_back(library.new_tensor(weights_, type_of(job.weight.format), shape_.k, shape_.n));
        }
        BufferType** const types = library.extra_types(library.device);
        weights_buffer_ = library.allocate_in(weights_, types[0]);
        for (Tensor* weight : weights) {
            library.set(weight, job.weight.codes.data(), 0, job.weight.codes.size());
        }
        Tensor* const x = library.new_tensor(rows_, kTypeF32, shape_.k, shape_.m);
        graph_ = library.new_graph(rows_);
        for (Tensor* weight : weights) {
            Tensor* const y = library.multiply(rows_, weight, x);
            if (first_ == nullptr) first_ = y;
            library.expand(graph_, y);
        }
        rows_buffer_ = library.allocate(rows_, library.backend);
        library.set(x, job.x.data(), 0, size_t(shape_.m * shape_.k) * sizeof(float));
    }
    ~Ggml() override {
        library_.free_buffer(weights_buffer_);
        library_.free_buffer(rows_buffer_);
        library_.free_context(weights_);
        library_.free_context(rows_);
    }

    void multiply() override {
        library_.set_threads(library_.backend, threads_);
        library_.compute(library_.backend, graph_);
    }
    std::vector<float> result() override {
        multiply();
        std::vector<float> y(size_t(shape_.m * shape_.n));
        library_.get(first_, y.data(), 0, y.size() * sizeof(float));
        return y;
    }

  private:
    const Library& library_;
    Shape shape_;
    int threads_;
    Context* weights_;
    Context* rows_;
    Graph* graph_;
    Tensor* first_ = nullptr;
    Buffer* weights_buffer_;
    Buffer* rows_buffer_;
};

}  // namespace

std::unique_ptr<Side> open_ggml(const Job& job, const std::string& folder) {
    static const Library library(folder);
    return std::make_unique<Ggml>(job, library);
}

}  // namespace bench
