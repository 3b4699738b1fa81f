// wgmma: every N, both types, A from shared memory and from registers, descriptors of every swizzle.
#include "conformance/checks.h"
#include "conformance/operand_layout.h"
#include "platform/cuda/barrier.cuh"
#include "platform/cuda/fence.cuh"
#include "platform/cuda/wgmma.cuh"

namespace lk::conformance {
namespace {

using namespace cuda;

constexpr int threads = 128;
constexpr int rows = 64;  // of A

// `image` is shared memory as it shall be: A, then B. A's fragments for the variant with registers are given apart.
template <class T, int N, int Mode, bool RegisterA>
__global__ void __launch_bounds__(threads)
    wgmma_kernel(const uint32_t* image, int words, const uint32_t* fragments, float* results) {
#if LK_HAS_WGMMA
    LK_DYNAMIC_SHARED(uint32_t, shared);
    constexpr OperandLayout layout = layout_of<Mode>();
    for (int i = static_cast<int>(threadIdx.x); i < words; i += threads) shared[i] = image[i];
    fence_proxy_async_shared();
    block_sync();
    const char* a = reinterpret_cast<const char*>(shared);
    const char* b = a + rows * layout.k * 2;
    float d[N / 2];
    for (float& value : d) value = 12345;  // ignored by the first product
    uint32_t a_fragments[layout.k / 16][4];
    if constexpr (RegisterA) {
        for (int step = 0; step < layout.k / 16; ++step) {
            for (int i = 0; i < 4; ++i) {
                a_fragments[step][i] = fragments[(step * threads + static_cast<int>(threadIdx.x)) * 4 + i];
            }
        }
    }
    wgmma_fence();
    for (int step = 0; step < layout.k / 16; ++step) {
        const uint64_t b_descriptor = shared_descriptor(b + step * layout.step_bytes(N), layout.swizzle,
                                                        layout.leading_bytes(N), layout.stride_bytes());
        if constexpr (RegisterA) {
            wgmma_m64k16<T, N>(d, a_fragments[step], b_descriptor, step > 0);
        } else {
            const uint64_t a_descriptor = shared_descriptor(a + step * layout.step_bytes(rows), layout.swizzle,
                                                            layout.leading_bytes(rows), layout.stride_bytes());
            wgmma_m64k16<T, N>(d, a_descriptor, b_descriptor, step > 0);
        }
    }
    wgmma_commit();
    wgmma_wait<0>();
    wgmma_pin(d);
    for (int i = 0; i < N / 2; ++i) results[static_cast<int>(threadIdx.x) * (N / 2) + i] = d[i];
#else
    unsupported_architecture();
#endif
}

template <class T, int N, int Mode, bool RegisterA>
void check_wgmma(Bench& bench) {
    constexpr OperandLayout layout = layout_of<Mode>();
    constexpr int k = layout.k;
    const auto a = random_values<int>(bench, rows * k, -16, 16);
    const auto b = random_values<int>(bench, N * k, -16, 16);
    const auto bits = [](int value) { return from_float<T>(static_cast<float>(value)).bits; };

    std::vector<uint32_t> image(static_cast<size_t>((rows + N) * k) / 2);
    char* a_image = reinterpret_cast<char*>(image.data());
    char* b_image = a_image + rows * k * 2;
    const auto place = [&](char* start, const std::vector<int>& values, int operand_rows) {
        for (int row = 0; row < operand_rows; ++row) {
            for (int e = 0; e < k; ++e) {
                const uint16_t element = bits(values[row * k + e]);
                std::memcpy(start + layout.offset(row, e, operand_rows), &element, 2);
            }
        }
    };
    place(a_image, a, rows);
    place(b_image, b, N);

    // PTX ISA 9.7.15.5.1.1 "Register Fragments": A in registers and D, by warp, group and thread of the group.
    std::vector<uint32_t> fragments(static_cast<size_t>(k / 16 * threads * 4));
    std::vector<float> expected(static_cast<size_t>(threads * N / 2));
    for (int thread = 0; thread < threads; ++thread) {
        const int first_row = thread / 32 * 16 + thread % 32 / 4;
        for (int step = 0; step < k / 16; ++step) {
            for (int i = 0; i < 4; ++i) {
                const int row = first_row + (i % 2) * 8;
                const int e = step * 16 + thread % 4 * 2 + (i / 2) * 8;
                fragments[(step * threads + thread) * 4 + i] = bits(a[row * k + e]) | uint32_t(bits(a[row * k + e + 1]))
                                                                                          << 16;
            }
        }
        for (int i = 0; i < N / 2; ++i) {
            const int row = first_row + (i / 2 % 2) * 8;
            const int column = i / 4 * 8 + thread % 4 * 2 + i % 2;
            int sum = 0;
            for (int e = 0; e < k; ++e) sum += a[row * k + e] * b[column * k + e];
            expected[thread * (N / 2) + i] = static_cast<float>(sum);
        }
    }
    const auto device_image = bench.copy(image);
    const auto device_fragments = bench.copy(fragments);
    const auto results = bench.zeros<float>(expected.size());
    bench.launch({.threads = threads, .shared_bytes = static_cast<uint32_t>(image.size() * 4)},
                 wgmma_kernel<T, N, Mode, RegisterA>, device_image.data(), static_cast<int>(image.size()),
                 device_fragments.data(), results.data());
    expect_equal("D", results.read(), expected);
}

const char* const mode_names[] = {"no swizzle", "32-byte swizzle", "64-byte swizzle", "128-byte swizzle"};

template <class T, int N, int Mode>
void add(std::vector<Check>& checks) {
    const std::string name = std::string("wgmma m64n") + std::to_string(N) + "k16 " +
                             (std::is_same_v<T, Half> ? "f16, " : "bf16, ") + mode_names[Mode];
    checks.push_back({name, 90, check_wgmma<T, N, Mode, false>});
    checks.push_back({name + ", A in registers", 90, check_wgmma<T, N, Mode, true>});
}

}  // namespace

std::vector<Check> wgmma_checks() {
    std::vector<Check> checks;
    // Every N with the swizzle that kernels use, every swizzle with one N.
    add<Half, 8, 3>(checks);
    add<Half, 16, 3>(checks);
    add<Half, 32, 3>(checks);
    add<Half, 64, 3>(checks);
    add<Half, 128, 3>(checks);
    add<Half, 256, 3>(checks);
    add<BFloat16, 8, 3>(checks);
    add<BFloat16, 64, 3>(checks);
    add<BFloat16, 256, 3>(checks);
    add<Half, 64, 0>(checks);
    add<Half, 64, 1>(checks);
    add<Half, 64, 2>(checks);
    add<BFloat16, 32, 0>(checks);
    return checks;
}

}  // namespace lk::conformance
