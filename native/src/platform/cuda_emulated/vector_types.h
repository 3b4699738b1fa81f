// CUDA's built-in vector types and min/max, for the host's compiler.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
struct uint3 {
    unsigned x, y, z;
};
struct alignas(8) uint2 {
    unsigned x, y;
};
struct alignas(16) uint4 {
    unsigned x, y, z, w;
};
struct alignas(8) int2 {
    int x, y;
};
struct alignas(16) int4 {
    int x, y, z, w;
};
struct alignas(8) float2 {
    float x, y;
};
struct alignas(16) float4 {
    float x, y, z, w;
};

constexpr uint2 make_uint2(unsigned x, unsigned y) {
    return {x, y};
}
constexpr uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) {
    return {x, y, z, w};
}
constexpr int2 make_int2(int x, int y) {
    return {x, y};
}
constexpr int4 make_int4(int x, int y, int z, int w) {
    return {x, y, z, w};
}
constexpr float2 make_float2(float x, float y) {
    return {x, y};
}
constexpr float4 make_float4(float x, float y, float z, float w) {
    return {x, y, z, w};
}

// By value, unlike std::min: a reference to a kernel's variable would keep it out of registers.
constexpr int min(int a, int b) {
    return a < b ? a : b;
}
constexpr unsigned min(unsigned a, unsigned b) {
    return a < b ? a : b;
}
constexpr long min(long a, long b) {
    return a < b ? a : b;
}
constexpr unsigned long min(unsigned long a, unsigned long b) {
    return a < b ? a : b;
}
inline float min(float a, float b) {
    return std::fmin(a, b);
}
constexpr int max(int a, int b) {
    return a > b ? a : b;
}
constexpr unsigned max(unsigned a, unsigned b) {
    return a > b ? a : b;
}
constexpr long max(long a, long b) {
    return a > b ? a : b;
}
constexpr unsigned long max(unsigned long a, unsigned long b) {
    return a > b ? a : b;
}
inline float max(float a, float b) {
    return std::fmax(a, b);
}
