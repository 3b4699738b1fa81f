// What is remembered of every 4 bytes of shared and global memory: who wrote them last, who has read them since.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace lk::emulated {

struct Lane;
struct Warp;

enum class AccessKind {
    read,
    write,
    atomic,  // an update, or a store, that does not race with others of its kind
    atomic_read,
    async_read  // begins now, by somebody who will say when it is over
};

constexpr bool only_reads(AccessKind kind) {
    return kind != AccessKind::write && kind != AccessKind::atomic;
}

// Lanes of one warp (or an agent's row of the clocks) that have read at one tick.
struct Reader {
    uint32_t block;
    uint32_t tick;
    uint32_t lanes;  // 0: nobody
    uint32_t row;
};

struct Cell {
    static constexpr uint16_t nobody = 0xffff;
    static constexpr uint16_t agent = 0x8000;  // the other bits are a row of the clocks, not a thread

    enum Flag : uint8_t {
        allocated = 1,  // belongs to a variable
        initialised = 2,
        in_flight = 4,     // the destination of a copy that has not landed
        atomic = 8,        // the last write was one
        split = 16,        // each byte has a cell of its own: `more` is their place in the pool
        more_readers = 32  // than are remembered
    };

    uint32_t write_block;
    uint32_t write_tick;
    uint16_t write_thread;
    uint8_t flags;
    uint8_t async_readers;  // wgmma and stores of the copy engine that have yet to read it
    Reader reader;
    uint32_t more;  // further readers, a list in the pool; 0: none
};
static_assert(sizeof(Cell) == 32);

// Where cells keep what few of them have.
class CellPool {
  public:
    struct Node {
        Reader reader;
        uint32_t next;
    };

    CellPool() { clear(); }
    void clear();
    uint32_t make_node(const Reader& reader, uint32_t next);
    Node& node(uint32_t index) { return nodes_[index]; }
    void free_list(uint32_t first);
    // Four cells like this one, for its bytes.
    uint32_t make_bytes(const Cell& cell);
    Cell* bytes(uint32_t index) { return bytes_[index].data(); }

  private:
    std::vector<Node> nodes_;
    uint32_t free_node_ = 0;
    std::vector<std::array<Cell, 4>> bytes_;
};

// The cells of a page of global memory, for the launch that touched it last.
struct ShadowPage {
    static constexpr size_t bytes = 4096;
    static constexpr size_t words = bytes / 4;

    uint64_t launch = 0;
    Cell cells[words];
    uint64_t written[words / 64];  // words of which this launch has written something
    // What the launch before that one has touched: a programmatic launch must wait before it does.
    uint64_t previously_written[words / 64];
    uint64_t previously_read[words / 64];
};

// A kernel's access to memory, wherever it lies. `pc` is where a plain access is; null: at the lane's last primitive.
void note_access(Lane& lane, const void* address, uint32_t bytes, AccessKind kind, const void* pc);
// The same for what is known to be shared memory.
void note_shared_access(Lane& lane, const void* address, uint32_t bytes, AccessKind kind, const void* pc);
// wgmma has read shared memory for the warp; any of its lanes may tell others that it is over.
void note_collective_read(Warp& warp, const void* address, uint32_t bytes);

}  // namespace lk::emulated
