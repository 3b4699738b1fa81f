"""Bugs in what adapters' memory is made of: pages that are mapped, used again and given back while work runs."""

from bugs import bugs_of

POOL = "platform/cuda/page_pool.cpp"
MAPPED = "platform/cuda/mapped_memory.cpp"
STREAMS = "platform/cuda/stream_list.cpp"
REMOVED = "BackendPages.RemovingWaitsForNothingAndAddingForWhatReadsTheRemoved"
GRAPH = "BackendPages.AGraphsLaunchKeepsWhatItsBatchHad"
CAPTURE = "PagePoolTest.ACaptureIsLeftAlone"

pool = bugs_of("memory", POOL, REMOVED)
mapped = bugs_of("memory", MAPPED, "BackendPages.AnyHistoryLeavesTheOthersAsTheyAre")
streams = bugs_of("memory", STREAMS, CAPTURE)

DONE = (
    "if (!is_done(device_, [&] { return std::all_of(oldest->marks.begin(), oldest->marks.end(), passed); })) "
    "return false;"
)
RECORD = 'check(cudaEventRecord(marks.back().handle(), stream), "cudaEventRecord");'

BUGS = [
    pool("pages are used again before the events of the work that reads them", POOL, DONE, ""),
    pool(
        "pages that a graph's launch reads are unmapped before its event", POOL, DONE, "", tests=GRAPH
    ),
    pool("no event is recorded for pages that are released", POOL, RECORD, ""),
    pool("no event is recorded for pages that a graph's launch reads", POOL, RECORD, "", tests=GRAPH),
    pool(
        "pages are unmapped when their block is released",
        POOL,
        "released_.push_back(std::move(block));",
        "(void)block->pages.unmap(); released_.push_back(std::move(block));",
    ),
    pool(
        "a page that pieces of others are in is taken for free",
        POOL,
        "if (!slabs_.release(piece)) continue;",
        "slabs_.release(piece);",
        tests="PagePoolTest.APageStaysAsLongAsAPieceOfItIsUsed",
    ),
    pool(
        "pages of the last table stay with the process",
        POOL,
        "while (collect(true)) { } drop_free_pages(0);",
        "while (collect(true)) { }",
        tests="BackendPages.TheLastTableGivesEverythingBack",
    ),
    mapped(
        "access to mapped pages is not enabled",
        MAPPED,
        'check(driver().memory_set_access(address_, bytes, &access, 1), "cuMemSetAccess");',
        "",
    ),
    mapped(
        "pages are not unmapped",
        MAPPED,
        "driver().memory_unmap(address_ + (mapped_ - 1) * size_t(page_bytes_), size_t(page_bytes_));",
        "",
    ),
    mapped(
        "addresses are not given back",
        MAPPED,
        "driver().address_free(address_, pages.size() * size_t(page_bytes_));",
        "",
    ),
    streams(
        "events are recorded into a capture",
        STREAMS,
        "if (status != cudaStreamCaptureStatusNone) return false;",
        "",
    ),
]
