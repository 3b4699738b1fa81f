// The order of eight codes in a word of PanelLayout: 0 4 1 5 2 6 3 7. T is a word or a vector of them.
#pragma once

#include <cstdint>

namespace lk::cpu::packing {
namespace {

// Nibbles 0 1 2 3 to 0 2 4 6.
template <class T>
constexpr T spread(T four) {
    four = (four | four << 8) & 0x00ff00ffu;
    return (four | four << 4) & 0x0f0f0f0fu;
}

// Eight codes in their order, the first one lowest, to a word of the panel.
template <class T>
constexpr T word_of(T codes) {
    return spread(codes & 0xffffu) | spread(codes >> 16) << 4;
}

}  // namespace
}  // namespace lk::cpu::packing
