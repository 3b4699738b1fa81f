// A panel's part of x * W^T on a vector path: chunks of k, and in each of them the rows in blocks.
#pragma once

#include "linear/simd/kernels.h"

namespace lk::cpu {
namespace {

// Rows of the largest blocks, as registers allow. Smaller ones are powers of two.
constexpr int kRowsOfFloats = kLanes == 16 ? 4 : 2;
constexpr int kRowsOfDigits = 4;
constexpr int kRowsOfInt8 = kLanes == 16 ? 8 : 4;

// The number of signed bytes that x is taken apart to; 0: none, it stays fp32.
// Three digits are three products: only where those are one instruction are they faster than one in fp32.
inline int digits_for(const IntegerTable& table, lk_compute compute) {
    if (compute == LK_COMPUTE_INT8) return 1;
    return kHasDotInstruction && table.exact ? kDigits : 0;
}

constexpr int largest_block(int digits) {
    return digits == 0 ? kRowsOfFloats : digits == 1 ? kRowsOfInt8 : kRowsOfDigits;
}
constexpr int block_of(int largest, int64_t rows) {
    while (largest > rows) largest /= 2;
    return largest;
}

inline int64_t prepared_row_bytes(int64_t in_features) {
    const int64_t most_spans = in_features / kSmallestGroup + 1;
    return std::max({row_bytes(0, most_spans, in_features), row_bytes(1, most_spans, in_features),
                     row_bytes(kDigits, most_spans, in_features)});
}

inline void prepare(const lk_weight& weight, lk_compute compute, const float* x, int64_t begin, int64_t rows,
                    uint8_t* prepared) {
    const IntegerTable table(weight.codec);
    const int digits = digits_for(table, compute);
    const int64_t x_stride = padded_depth(weight.layout.in_features);
    const int64_t bytes = row_bytes(digits, count_spans(weight), weight.layout.in_features);
    const int64_t end = std::min(rows, begin + kPreparedRows);
    for (int64_t row = begin; row < end;) {
        const int block = block_of(largest_block(digits), end - row);
        const float* const source = x + row * x_stride;
        uint8_t* const out = prepared + row * bytes;
        if (digits == 1) put_digits<1>(weight, table, source, x_stride, block, out);
        if (digits == kDigits) put_digits<kDigits>(weight, table, source, x_stride, block, out);
        if (digits == 0) put_floats(weight, source, x_stride, block, out);
        row += block;
    }
}

// The rows of a call, prepared, and where a chunk begins in each block.
struct RowBlocks {
    const uint8_t* prepared;
    int64_t row_bytes;
    int64_t chunk_offset;  // bytes of a row before the chunk
    int64_t rows;
    int largest;

    // Calls multiply.operator()<R>(block of the chunk, first row) for every block.
    template <class Multiply>
    void for_each(const Multiply& multiply) const {
        for (int64_t row = 0; row < rows;) {
            const int block = block_of(largest, rows - row);
            const uint8_t* const x = prepared + row * row_bytes + block * chunk_offset;
            switch (block) {
                case 8:
                    if constexpr (Multiply::kMostRows >= 8) multiply.template run<8>(x, row);
                    break;
                case 4:
                    if constexpr (Multiply::kMostRows >= 4) multiply.template run<4>(x, row);
                    break;
                case 2:
                    multiply.template run<2>(x, row);
                    break;
                default:
                    multiply.template run<1>(x, row);
                    break;
            }
            row += block;
        }
    }
};

using Totals = float (*)[kColumns];

template <class Codes>
struct FloatProduct {
    static constexpr int kMostRows = kRowsOfFloats;
    const Codes& codes;
    const ChunkSpans& spans;
    Totals totals;
    int64_t column;

    template <int Rows>
    void run(const uint8_t* x, int64_t row) const {
        multiply_floats<Rows>(codes, spans, x, totals[row] + column);
    }
};

template <int Digits, class Codes>
struct DigitProduct {
    static constexpr int kMostRows = largest_block(Digits);
    const Codes& codes;
    const ChunkSpans& spans;
    Totals totals;
    int64_t column;

    template <int Rows>
    void run(const uint8_t* x, int64_t row) const {
        multiply_digits<Rows, Digits>(codes, spans, x, totals[row] + column);
    }
};

template <int Digits, bool IsCodes>
void multiply_bytes(const PackedWords& words, const IntegerTable& table, const RowBlocks& rows, const ChunkSpans& spans,
                    Totals totals, int64_t column) {
    const PackedBytes<IsCodes> packed(words, table);
    if (rows.rows <= rows.largest) {
        rows.for_each(DigitProduct<Digits, PackedBytes<IsCodes>>{packed, spans, totals, column});
        return;
    }
    alignas(64) uint8_t decoded[kChunkDepth * kPassColumns];
    decode_bytes(packed, spans.chunk.steps, decoded);
    const DecodedBytes<IsCodes> codes{decoded};
    rows.for_each(DigitProduct<Digits, DecodedBytes<IsCodes>>{codes, spans, totals, column});
}

inline void multiply_pass(int digits, const PackedWords& words, const IntegerTable& table, const float* values,
                          const RowBlocks& rows, const ChunkSpans& spans, Totals totals, int64_t column) {
    if (digits == 1) {
        return table.is_codes ? multiply_bytes<1, true>(words, table, rows, spans, totals, column)
                              : multiply_bytes<1, false>(words, table, rows, spans, totals, column);
    }
    if (kHasDotInstruction && digits == kDigits) {
        return table.is_codes ? multiply_bytes<kDigits, true>(words, table, rows, spans, totals, column)
                              : multiply_bytes<kDigits, false>(words, table, rows, spans, totals, column);
    }
    const PackedFloats packed{words, FloatTable(values)};
    if (rows.rows <= rows.largest) {
        return rows.for_each(FloatProduct<PackedFloats>{packed, spans, totals, column});
    }
    alignas(64) float decoded[kChunkDepth * kPassColumns];
    decode_floats(packed, spans.chunk.steps, decoded);
    const DecodedFloats codes{decoded};
    rows.for_each(FloatProduct<DecodedFloats>{codes, spans, totals, column});
}

inline void add_product(const lk_weight& weight, lk_compute compute, int64_t panel, const PreparedRows& x,
                        int64_t begin, int64_t rows, Totals totals) {
    const IntegerTable table(weight.codec);
    alignas(64) float values[16];
    for (int code = 0; code < 16; ++code) values[code] = weight.codec.values[code] - center_of(weight.codec);
    const int digits = digits_for(table, compute);
    const int64_t bytes = row_bytes(digits, count_spans(weight), weight.layout.in_features);
    RowBlocks blocks{x.prepared + begin * bytes, bytes, 0, rows, largest_block(digits)};
    const int64_t passes = divide_up(weight.layout.columns(panel), kPassColumns);
    const bool has_addends = weight.codec.offset_kind != OffsetKind::none;
    const int64_t depth = rows <= blocks.largest ? kLongChunkDepth : kChunkDepth;
    const PanelUnits units(weight, panel);
    SpanScales buffer;
    for (SpanCursor cursor(weight); !cursor.at_end();) {
        const Chunk chunk(cursor, depth);
        const ReadScales read = read_spans(units, chunk, buffer);
        for (int64_t pass = 0; pass < passes; ++pass) {
            const int64_t column = pass * kPassColumns;
            const ChunkSpans spans{chunk, read.scales + column, has_addends ? read.addends + column : nullptr};
            multiply_pass(digits, PackedWords(weight, panel, pass, chunk.spans[0].first_step()), table, values, blocks,
                          spans, totals, column);
        }
        blocks.chunk_offset += chunk.count * header_bytes(digits) + chunk.steps * step_bytes(digits);
    }
}

}  // namespace
}  // namespace lk::cpu
