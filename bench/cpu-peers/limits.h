// What this machine can do at best, measured beside the kernels.
#pragma once

namespace bench {

struct Limits {
    double memory;  // GB/s, reading more than the last-level cache holds
    double vnni;    // GOP/s of vpdpbusd on 512 bits, 0 without
    double fma;     // GFLOP/s of fused multiply-add on the widest registers
};

Limits measure_limits(int threads);

}  // namespace bench
