// How many 32-bit elements the widest registers have that a unit is compiled for: a constant of each unit's own.
#pragma once

namespace lk::cpu {
namespace {

#if defined(__AVX512F__)
constexpr int kVectorWidth = 16;
#elif defined(__AVX2__)
constexpr int kVectorWidth = 8;
#else
constexpr int kVectorWidth = 4;
#endif

}  // namespace
}  // namespace lk::cpu
