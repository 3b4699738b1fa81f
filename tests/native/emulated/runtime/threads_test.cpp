// The emulated machine serves many threads at once.
#include <thread>

#include "emulated/runtime/kernels.h"
#include "emulated/runtime/machine_test.h"

namespace lk::test {
namespace {

using ThreadsTest = RuntimeTest;

// Every thread with its own context, stream and memory; none sees another's errors or contexts.
TEST_F(ThreadsTest, ThreadsDoNotDisturbEachOther) {
    constexpr int kThreads = 4;
    constexpr int kRounds = 25;
    std::vector<int> sums(kThreads, -1);
    std::vector<std::thread> threads;
    for (int number = 0; number < kThreads; ++number) {
        threads.emplace_back([&, number] {
            CUcontext context = nullptr;
            cudaStream_t stream = nullptr;
            int* device = nullptr;
            int host = 0;
            cuCtxCreate(&context, 0, number % 2);
            cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
            for (int round = 0; round < kRounds; ++round) {
                cudaMalloc(&device, sizeof(int));
                cudaMemcpyAsync(device, &host, sizeof(int), cudaMemcpyHostToDevice, stream);
                launch_add(device, 1, number, stream);
                cudaMemcpyAsync(&host, device, sizeof(int), cudaMemcpyDeviceToHost, stream);
                cudaFree(device);
                if (number == 0) cudaFree(&host);  // an error of this thread's
            }
            EXPECT_EQ(cudaGetLastError(), number == 0 ? cudaErrorInvalidValue : cudaSuccess);
            sums[size_t(number)] = host;
            cuCtxDestroy(context);
        });
    }
    for (std::thread& thread : threads) thread.join();
    for (int number = 0; number < kThreads; ++number) EXPECT_EQ(sums[size_t(number)], number * kRounds);
}

}  // namespace
}  // namespace lk::test
