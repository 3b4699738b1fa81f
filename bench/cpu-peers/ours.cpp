// LoraKernels through its C ABI.
#include <cstdio>
#include <cstdlib>

#include "lorakernels.h"
#include "side.h"
#include "weights.h"

namespace bench {
namespace {

void check(lk_status status) {
    if (status == LK_OK) return;
    std::fprintf(stderr, "lorakernels: %s\n", lk_last_error());
    std::exit(1);
}

class Ours final : public Side {
  public:
    explicit Ours(const Job& job) : shape_(job.shape), threads_(job.threads) {
        check(lk_cpu_set_thread_count(0));  // for packing
        lk_context_options options{};
        options.struct_size = sizeof options;
        options.abi_version = LK_ABI_VERSION;
        options.compute = job.int8 ? LK_COMPUTE_INT8 : LK_COMPUTE_PRECISE;
        options.cpu_isa = job.avx2 ? LK_CPU_AVX2 : LK_CPU_AUTO;
        check(lk_context_create(&options, &context_));
        weights_.resize(size_t(job.copies));
        for (int i = 0; i < job.copies; ++i) {
            const Weight copy = rotated(job.weight, shape_, i);
            const lk_weight_tensors tensors = describe(copy, shape_);
            check(lk_weight_pack(context_, &tensors, &weights_[size_t(i)]));
        }
    }
    ~Ours() override {
        for (lk_weight* weight : weights_) lk_weight_destroy(weight);
        lk_context_destroy(context_);
    }

    void prepare(const std::vector<float>& x, int64_t rows) override {
        x_ = {const_cast<float*>(x.data()), rows, shape_.k, shape_.k, LK_DTYPE_F32, 0};
        y_.resize(size_t(rows * shape_.n));
        check(lk_cpu_set_thread_count(threads_));
    }
    void multiply() override {
        for (lk_weight* weight : weights_) product(weight);
    }
    std::vector<float> result() override {
        product(weights_[0]);
        return y_;
    }

  private:
    void product(lk_weight* weight) {
        const lk_matrix y{y_.data(), x_.rows, shape_.n, shape_.n, LK_DTYPE_F32, 0};
        check(lk_matmul(context_, &x_, weight, nullptr, &y));
    }

    Shape shape_;
    int threads_;
    lk_matrix x_{};
    lk_context* context_ = nullptr;
    std::vector<lk_weight*> weights_;
    std::vector<float> y_;
};

}  // namespace

std::unique_ptr<Side> open_ours(const Job& job) {
    return std::make_unique<Ours>(job);
}

}  // namespace bench
