// B of a slice as the CPU reads it: in the panels of the module's columns (packing/panel.h), [panel][rank][column].
// What a row needs of an adapter for a panel is one run of memory, and the next panel's follows it.
#pragma once

#include <algorithm>

#include "packing/panel.h"

namespace lk {

struct ColumnPanels {
    const char* data = nullptr;
    int64_t lead = 0;     // columns of the first panel that come before the slice
    int64_t columns = 0;  // of the slice
    int64_t ranks = 0;    // whole tiles
    int64_t element_bytes = 0;

    // The ranks of a panel's columns from one on: `stride` elements apart.
    struct Rows {
        const char* first;
        int64_t stride;
    };
    Rows from(int64_t column) const {
        const int64_t end_of_panel = round_up(lead + column + 1, PanelLayout::kColumns) - lead;
        const int64_t begin = std::max<int64_t>(0, end_of_panel - PanelLayout::kColumns);
        const int64_t end = std::min(columns, end_of_panel);
        return {data + (begin * ranks + column - begin) * element_bytes, end - begin};
    }
};

}  // namespace lk
