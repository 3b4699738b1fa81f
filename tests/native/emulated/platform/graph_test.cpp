// Streams, events and graphs of the platform layer.
#include "platform/cuda/graph.h"

#include "core/memory.h"
#include "emulated/platform/platform_test.h"
#include "platform/cuda/status.h"

namespace lk::test {
namespace {

using cuda::Capture;
using cuda::CurrentContext;
using cuda::Device;
using cuda::Event;
using cuda::Graph;
using cuda::Stream;

class GraphOfStreamTest : public PlatformTest {
  protected:
    GraphOfStreamTest() : device_(Device::open(0)), stream_(device_), memory_(device_.allocator(), 16, 64, "a test") {}

    void fill(int value, const Stream& stream) {
        cuda::check(cudaMemsetAsync(memory_.data(), value, 16, stream.handle()), "cudaMemsetAsync");
    }
    int first_byte() {
        char byte = 0;
        EXPECT_EQ(cudaSuccess, cudaDeviceSynchronize());
        EXPECT_EQ(cudaSuccess, cudaMemcpyAsync(&byte, memory_.data(), 1, cudaMemcpyDeviceToHost, stream_.handle()));
        return byte;
    }

    Device& device_;
    Stream stream_;
    Block memory_;
};

TEST_F(GraphOfStreamTest, RecordedOnceLaunchedOften) {
    const CurrentContext guard(device_);
    fill(1, stream_);
    std::unique_ptr<Graph> graph;
    {
        Capture capture(stream_);
        EXPECT_TRUE(stream_.capturing());
        fill(2, stream_);
        graph = capture.finish();
    }
    EXPECT_FALSE(stream_.capturing());
    EXPECT_EQ(first_byte(), 1);
    graph->launch(stream_);
    EXPECT_EQ(first_byte(), 2);
    fill(3, stream_);
    graph->launch(stream_);
    graph->launch(stream_);
    graph = nullptr;  // waits
    EXPECT_EQ(first_byte(), 2);
}

TEST_F(GraphOfStreamTest, AGraphNeverLaunchedIsDestroyed) {
    const CurrentContext guard(device_);
    Capture capture(stream_);
    capture.finish();
}

TEST_F(GraphOfStreamTest, AnAbandonedCaptureLeavesNothing) {
    {
        const CurrentContext guard(device_);
        const Capture capture(stream_);
        fill(1, stream_);
    }
    const CurrentContext guard(device_);
    EXPECT_FALSE(stream_.capturing());
    fill(2, stream_);
    EXPECT_EQ(first_byte(), 2);
}

TEST_F(GraphOfStreamTest, ABrokenCaptureIsReportedAndOver) {
    const CurrentContext guard(device_);
    Capture capture(stream_);
    expect_error(LK_INTERNAL, "cudaErrorStreamCaptureUnsupported", [&] { stream_.synchronize(); });
    expect_error(LK_INTERNAL, "cudaErrorStreamCaptureInvalidated", [&] { capture.finish(); });
    EXPECT_FALSE(stream_.capturing());
    expect_error(LK_INTERNAL, "cudaErrorIllegalState", [&] {
        const Capture first(stream_);
        const Capture second(stream_);
    });
    EXPECT_FALSE(stream_.capturing());
    const int64_t before = statistics().live_bytes;
    memory_ = Block();  // the end of the captures has opened the gate
    EXPECT_EQ(statistics().live_bytes, before - 16);
}

TEST_F(GraphOfStreamTest, EventsOrderStreams) {
    const CurrentContext guard(device_);
    Stream other(device_);
    Event event(device_);
    EXPECT_TRUE(event.reached());
    for (int seed = 0; seed < 10; ++seed) {
        ASSERT_EQ(LK_OK, lk_emulated_configure_text(("seed=" + std::to_string(seed)).c_str()));
        fill(1, stream_);
        event.record(stream_);
        other.wait(event);
        fill(2, other);
        other.synchronize();
        EXPECT_TRUE(event.reached());
        EXPECT_EQ(first_byte(), 2);
    }
    fill(1, stream_);
    event.record(stream_);
    int queries = 0;
    while (!event.reached()) ++queries;
    EXPECT_EQ(cudaGetLastError(), cudaSuccess);
}

TEST_F(GraphOfStreamTest, EventsMove) {
    std::vector<Event> events;
    for (int i = 0; i < 5; ++i) events.emplace_back(device_);
    events.erase(events.begin());
    const CurrentContext guard(device_);
    for (Event& event : events) event.record(stream_);
    for (Event& event : events) event.synchronize();
}

TEST_F(GraphOfStreamTest, ABorrowedStreamStays) {
    const CurrentContext guard(device_);
    {
        Stream borrowed(device_, stream_.handle());
        EXPECT_FALSE(borrowed.owned());
        fill(4, borrowed);
    }
    EXPECT_EQ(first_byte(), 4);
}

}  // namespace
}  // namespace lk::test
