// What this machine can do at best, measured beside the kernels.
#pragma once

namespace bench {

struct Limits {
    double memory;  // GB/s, reading more than the last-level cache holds, in huge pages
    double cache;   // GB/s, reading 8 MiB again and again
    double vnni;    // GOP/s of vpdpbusd on 512 bits, 0 without
    double fma;     // GFLOP/s of fused multiply-add on the widest registers
    double bf16;    // GFLOP/s of vdpbf16ps on 512 bits, 0 without
};

Limits measure_limits(int threads);

}  // namespace bench
