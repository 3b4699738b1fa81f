// Physical pages mapped to consecutive addresses: kernels run across their borders, wherever the pages were before.
#include "conformance/checks.h"
#include "platform/cuda/mapped_memory.h"
#include "platform/cuda/target.h"

namespace lk::conformance {
namespace {

using namespace cuda;

constexpr uint32_t threads = 256;
constexpr uint32_t blocks = 16;
constexpr int page_count = 3;

__global__ void write_kernel(uint32_t* values, uint32_t count, uint32_t seed) {
    for (uint32_t i = blockIdx.x * threads + threadIdx.x; i < count; i += threads * blocks)
        values[i] = i * 2654435761u + seed;
}

__global__ void copy_kernel(const uint32_t* from, uint32_t* to, uint32_t count) {
    for (uint32_t i = blockIdx.x * threads + threadIdx.x; i < count; i += threads * blocks) to[i] = from[i];
}

void check_round(Bench& bench, const MappedPages& mapped, uint32_t count, uint32_t seed) {
    auto* const values = reinterpret_cast<uint32_t*>(mapped.data());
    bench.launch({.blocks = blocks, .threads = threads}, write_kernel, values, count, seed);
    const auto copy = bench.zeros<uint32_t>(count);
    bench.launch({.blocks = blocks, .threads = threads}, copy_kernel, values, copy.data(), count);
    std::vector<uint32_t> expected(count);
    for (uint32_t i = 0; i < count; ++i) expected[i] = i * 2654435761u + seed;
    expect_equal("what lies in the pages", copy.read(), expected);
}

void check_mapping(Bench& bench) {
    const int device = Device::open(0).index();
    const int64_t page_bytes = mapped_page_bytes(device);
    if (page_bytes == 0) return;  // nothing is mapped there
    expect_equal("pages are a power of two", std::vector<int64_t>{page_bytes & (page_bytes - 1)}, {0});
    std::vector<PhysicalPage> pages;
    for (int i = 0; i < page_count; ++i) {
        pages.push_back(PhysicalPage::make(device, page_bytes));
        if (!pages.back()) throw Mismatch("there is no memory for a page");
    }
    const auto words = uint32_t(page_bytes / 4);
    MappedPages all(device, page_bytes, std::move(pages));
    check_round(bench, all, page_count * words, 1);

    // The same pages, in another order and apart.
    pages = all.unmap();
    std::swap(pages[0], pages[2]);
    std::vector<PhysicalPage> last;
    last.push_back(std::move(pages.back()));
    pages.pop_back();
    const MappedPages two(device, page_bytes, std::move(pages)), one(device, page_bytes, std::move(last));
    check_round(bench, one, words, 7);
    check_round(bench, two, 2 * words, 100);
    check_round(bench, one, words, 9);
}

}  // namespace

std::vector<Check> mapped_memory_checks() {
    return {{"mapped pages", 80, check_mapping}};
}

}  // namespace lk::conformance
