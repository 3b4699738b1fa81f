// What a multiprocessor of each architecture holds. CUDA C++ Programming Guide, table "Technical Specifications per
// Compute Capability".
#pragma once

namespace lk::emulated {

inline constexpr int kMaxBlockThreads = 1024;
inline constexpr int kDefaultSharedBytes = 48 * 1024;  // a block's limit unless the kernel's attribute raises it
inline constexpr int kReservedSharedBytes = 1024;      // the system's, of each block

struct Multiprocessor {
    int threads;
    int blocks;
    int shared_bytes;
};

constexpr Multiprocessor multiprocessor_of(int architecture) {
    switch (architecture) {
        case 80:
            return {2048, 32, 164 * 1024};
        case 86:
            return {1536, 16, 100 * 1024};
        case 89:
            return {1536, 24, 100 * 1024};
        default:
            return {2048, 32, 228 * 1024};
    }
}

constexpr int max_shared_bytes_of_block(int architecture) {
    return multiprocessor_of(architecture).shared_bytes - kReservedSharedBytes;
}

// Those that the compiled binaries run on.
constexpr bool has_kernels(int architecture) {
    return architecture == 80 || architecture == 86 || architecture == 89 || architecture == 90;
}

}  // namespace lk::emulated
