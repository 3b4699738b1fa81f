// Small integers as inputs: every product and sum is exact, so that results are compared bit by bit.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "core/numeric.h"

namespace lk::breaks {

struct Matrix {
    int rows, columns;
    std::vector<uint16_t> halves;
    std::vector<int> values;

    Matrix(int rows, int columns, unsigned seed) : rows(rows), columns(columns) {
        std::mt19937 random(seed);
        for (int i = 0; i < rows * columns; ++i) {
            values.push_back(static_cast<int>(random() % 17) - 8);
            halves.push_back(from_float<Half>(static_cast<float>(values.back())).bits);
        }
    }
};

// a·bᵀ.
inline std::vector<float> product(const Matrix& a, const Matrix& b) {
    std::vector<float> result;
    for (int row = 0; row < a.rows; ++row) {
        for (int column = 0; column < b.rows; ++column) {
            int sum = 0;
            for (int k = 0; k < a.columns; ++k) sum += a.values[row * a.columns + k] * b.values[column * b.columns + k];
            result.push_back(static_cast<float>(sum));
        }
    }
    return result;
}

}  // namespace lk::breaks
