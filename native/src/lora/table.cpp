#include "lora/table.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/matrix.h"

namespace lk {
namespace {

using ll = long long;

// Copies a host matrix's rows, or columns where `transposed`, into tiles of 8 rows each; missing rows become 0.
template <class T>
void copy_tiles(const lk_matrix& source, bool transposed, char* destination) {
    const int64_t rank = transposed ? source.columns : source.rows;
    const int64_t length = transposed ? source.rows : source.columns;
    T* out = reinterpret_cast<T*>(destination);
    for (int64_t r = 0; r < rank; ++r) {
        for (int64_t i = 0; i < length; ++i) {
            out[r * length + i] = transposed ? row_of<const T>(source, i)[r] : row_of<const T>(source, r)[i];
        }
    }
    std::memset(static_cast<void*>(out + rank * length), 0,
                size_t((rank_tiles(rank) * kRankTile - rank) * length) * sizeof(T));
}

// Copies B into panels; missing ranks become 0.
template <class T>
void copy_panels(const lk_matrix& b, const ColumnPanels& panels, char* destination) {
    std::memset(destination, 0, size_t(panels.ranks * panels.columns) * sizeof(T));
    for (int64_t c = 0; c < panels.columns; ++c) {
        const ColumnPanels::Rows rows = panels.from(c);
        T* const out = reinterpret_cast<T*>(destination + (rows.first - panels.data));
        for (int64_t r = 0; r < b.columns; ++r) out[r * rows.stride] = row_of<const T>(b, c)[r];
    }
}

int64_t bytes_of(const lk_lora_factors& f, bool transposed) {
    const lk_matrix& matrix = transposed ? f.b : f.a;
    return tiles_bytes(f.a.rows, transposed ? matrix.rows : matrix.columns, size_of(matrix.dtype));
}

int64_t vector_bytes(const lk_lora_factors& f) {
    return round_up((f.bias.rows + f.column_scale.rows) * f.b.rows * int64_t(sizeof(float)), 64);
}

bool is_finite(const lk_matrix& matrix) {
    return with_dtype(matrix.dtype, [&]<class T>(T*) {
        for (int64_t r = 0; r < matrix.rows; ++r) {
            const T* row = row_of<const T>(matrix, r);
            for (int64_t c = 0; c < matrix.columns; ++c) {
                if (!std::isfinite(to_float(row[c]))) return false;
            }
        }
        return true;
    });
}

// `panels` are those of each B where it lies in panels, otherwise NULL.
void write_factors(const lk_lora_factors* factors, int32_t count, const LoraFactors* panels, char* out) {
    for (int32_t i = 0; i < count; ++i) {
        for (const bool transposed : {false, true}) {
            const lk_matrix& matrix = transposed ? factors[i].b : factors[i].a;
            with_dtype(matrix.dtype, [&]<class T>(T*) {
                if (transposed && panels != nullptr) {
                    copy_panels<T>(matrix, panels[i].b, out);
                } else {
                    copy_tiles<T>(matrix, transposed, out);
                }
            });
            out += bytes_of(factors[i], transposed);
        }
        float* vector = reinterpret_cast<float*>(out);
        for (const lk_matrix* const source : {&factors[i].bias, &factors[i].column_scale}) {
            if (source->rows == 0) continue;
            read_row(*source, 0, 0, source->columns, vector);
            vector += source->columns;
        }
        out += vector_bytes(factors[i]);
    }
}

void check_vector(const lk_matrix& vector, const char* name, int32_t i, int64_t columns) {
    if (vector.rows == 0 && vector.columns == 0) return;
    if (vector.rows != 1 || vector.columns != columns) {
        fail(LK_SHAPE_MISMATCH, "factors[%d].%s: is %lld x %lld; 1 x %lld is needed, or none", i, name, ll(vector.rows),
             ll(vector.columns), ll(columns));
    }
}

// The tiles of a matrix of `rank` rows of `length` elements from `base` on.
std::vector<const void*> tiles_at(const char* base, int64_t rank, int64_t length, lk_dtype dtype) {
    std::vector<const void*> tiles;
    for (int64_t tile = 0; tile < rank_tiles(rank); ++tile) {
        tiles.push_back(base + tile * kRankTile * length * size_of(dtype));
    }
    return tiles;
}

}  // namespace

Adapter::Adapter(std::shared_ptr<std::atomic<int64_t>> bytes_of_table, Block block)
    : memory(std::move(block)), bytes_of_table_(std::move(bytes_of_table)) {
    bytes_of_table_->fetch_add(memory.bytes(), std::memory_order_relaxed);
}

Adapter::~Adapter() {
    bytes_of_table_->fetch_sub(memory.bytes(), std::memory_order_relaxed);
}

int64_t Adapter::tiles_in(const LoraModule& module) const {
    int64_t tiles = 0;
    for (size_t s = 0; s < module.slices.size(); ++s) {
        const LoraFactors* f = factors_of(module.first_slice + int32_t(s));
        if (f != nullptr) tiles += rank_tiles(f->rank);
    }
    return tiles;
}

int64_t Adapter::ranks_in(const LoraModule& module) const {
    int64_t ranks = 0;
    for (size_t s = 0; s < module.slices.size(); ++s) {
        const LoraFactors* f = factors_of(module.first_slice + int32_t(s));
        if (f != nullptr) ranks += f->rank;
    }
    return ranks;
}

bool Adapter::is_finite_in(const LoraModule& module) const {
    for (size_t s = 0; s < module.slices.size(); ++s) {
        const LoraFactors* f = factors_of(module.first_slice + int32_t(s));
        if (f != nullptr && !f->finite) return false;
    }
    return true;
}

LoraTable::LoraTable(const DeviceId& device, const lk_lora_module* modules, int32_t count) : device_(device) {
    for (int32_t m = 0; m < count; ++m) {
        const lk_lora_module& given = modules[m];
        LoraModule module{given.in_features, given.out_features, {}, slice_count_};
        if (given.slice_count == 0) {
            module.slices.push_back({0, given.out_features});
        } else {
            module.slices.assign(given.slices, given.slices + given.slice_count);
        }
        int64_t end = 0;
        for (size_t s = 0; s < module.slices.size(); ++s) {
            const lk_output_slice& slice = module.slices[s];
            if (slice.offset < end || slice.size < 0 || slice.offset > module.out_features ||
                slice.size > module.out_features - slice.offset) {
                fail(LK_INVALID_ARGUMENT,
                     "modules[%d].slices[%zu]: is [%lld, %lld + %lld); slices ascend without overlap within the %lld "
                     "output features",
                     m, s, ll(slice.offset), ll(slice.offset), ll(slice.size), ll(module.out_features));
            }
            end = slice.offset + slice.size;
        }
        slice_count_ += int32_t(module.slices.size());
        modules_.push_back(std::move(module));
    }
}

const LoraModule& LoraTable::module(int32_t index) const {
    if (index < 0 || size_t(index) >= modules_.size()) {
        fail(LK_INVALID_ARGUMENT, "module: is %d; the table has %zu modules, numbered from 0", index, modules_.size());
    }
    return modules_[size_t(index)];
}

void LoraTable::check(const lk_lora_factors* factors, int32_t count) const {
    std::vector<char> seen(size_t(slice_count_), 0);
    for (int32_t i = 0; i < count; ++i) {
        const lk_lora_factors& f = factors[i];
        if (f.module < 0 || size_t(f.module) >= modules_.size()) {
            fail(LK_INVALID_ARGUMENT, "factors[%d].module: is %d; the table has %zu modules, numbered from 0", i,
                 f.module, modules_.size());
        }
        const LoraModule& module = modules_[size_t(f.module)];
        if (f.slice < 0 || size_t(f.slice) >= module.slices.size()) {
            fail(LK_INVALID_ARGUMENT, "factors[%d].slice: is %d; module %d has %zu slices, numbered from 0", i, f.slice,
                 f.module, module.slices.size());
        }
        if (!std::isfinite(f.scale)) {
            fail(LK_INVALID_ARGUMENT, "factors[%d].scale: is %g; it must be finite", i, double(f.scale));
        }
        const int64_t rank = f.a.rows;
        if (rank < 1 || rank > LK_LORA_MAX_RANK) {
            fail(LK_INVALID_ARGUMENT, "factors[%d].a.rows: is %lld; ranks from 1 to %d are possible", i, ll(rank),
                 LK_LORA_MAX_RANK);
        }
        if (f.a.columns != module.in_features) {
            fail(LK_SHAPE_MISMATCH, "factors[%d].a.columns: is %lld, module %d has %lld input features", i,
                 ll(f.a.columns), f.module, ll(module.in_features));
        }
        const int64_t out = module.slices[size_t(f.slice)].size;
        if (f.b.rows != out) {
            fail(LK_SHAPE_MISMATCH, "factors[%d].b.rows: is %lld, slice %d of module %d has %lld output features", i,
                 ll(f.b.rows), f.slice, f.module, ll(out));
        }
        if (f.b.columns != rank) {
            fail(LK_SHAPE_MISMATCH, "factors[%d].b.columns: is %lld, a has %lld rows; both are the rank", i,
                 ll(f.b.columns), ll(rank));
        }
        check_vector(f.bias, "bias", i, out);
        check_vector(f.column_scale, "column_scale", i, out);
        char& twice = seen[size_t(module.first_slice + f.slice)];
        if (twice != 0) {
            fail(LK_INVALID_ARGUMENT, "factors[%d]: module %d, slice %d has factors already; once is allowed", i,
                 f.module, f.slice);
        }
        twice = 1;
    }
}

std::shared_ptr<const Adapter> LoraTable::build(Backend& backend, const lk_lora_factors* factors, int32_t count) const {
    const bool has_descriptors = device_.kind != LK_DEVICE_CPU;
    const int64_t first = has_descriptors ? round_up(slice_count_ * int64_t(sizeof(LoraDescriptor)), 64) : 0;
    int64_t bytes = first;
    for (int32_t i = 0; i < count; ++i) {
        bytes += bytes_of(factors[i], false) + bytes_of(factors[i], true) + vector_bytes(factors[i]);
    }
    auto adapter = std::make_shared<Adapter>(bytes_, Block(backend.allocator(), bytes, 64, "an adapter"));
    adapter->index_of_slice.assign(size_t(slice_count_), -1);
    std::vector<LoraDescriptor> descriptors(size_t(has_descriptors ? slice_count_ : 0));
    const char* place = static_cast<const char*>(adapter->memory.data()) + first;
    for (int32_t i = 0; i < count; ++i) {
        const lk_lora_factors& f = factors[i];
        const int64_t rank = f.a.rows, in = f.a.columns, out = f.b.rows;
        const bool finite = is_finite(f.a) && is_finite(f.b) && is_finite(f.bias) && is_finite(f.column_scale);
        const char* const a = place;
        const char* const b = a + bytes_of(f, false);
        place = b + bytes_of(f, true) + vector_bytes(f);
        const auto* const vectors = reinterpret_cast<const float*>(b + bytes_of(f, true));
        const bool has_bias = f.bias.rows > 0, has_column_scale = f.column_scale.rows > 0;
        adapter->rescales = adapter->rescales || has_column_scale;
        const int32_t slice = modules_[size_t(f.module)].first_slice + f.slice;
        adapter->index_of_slice[size_t(slice)] = i;
        const int64_t first_column = modules_[size_t(f.module)].slices[size_t(f.slice)].offset;
        const ColumnPanels panels{b, first_column % PanelLayout::kColumns, out, rank_tiles(rank) * kRankTile,
                                  size_of(f.b.dtype)};
        adapter->factors.push_back({rank, in, out, f.scale, f.a.dtype, f.b.dtype, finite,
                                    tiles_at(a, rank, in, f.a.dtype), panels, has_bias ? vectors : nullptr,
                                    has_column_scale ? vectors + (has_bias ? out : 0) : nullptr});
        if (has_descriptors) {
            const auto present = uint16_t((has_bias ? kHasBias : 0) | (has_column_scale ? kHasColumnScale : 0));
            descriptors[size_t(slice)] = {a,       b,         first_column, out,    f.scale, int16_t(rank),
                                          present, f.a.dtype, f.b.dtype,    finite, 0};
        }
    }
    for (const LoraModule& module : modules_) {
        adapter->widest_tiles = std::max(adapter->widest_tiles, adapter->tiles_in(module));
    }
    backend.fill(adapter->memory.data(), bytes, [&](char* memory) {
        if (has_descriptors) {
            std::memcpy(memory, descriptors.data(), descriptors.size() * sizeof(LoraDescriptor));
        }
        write_factors(factors, count, has_descriptors ? nullptr : adapter->factors.data(), memory + first);
    });
    return adapter;
}

int64_t LoraTable::add(Backend& backend, const lk_lora_factors* factors, int32_t count) {
    check(factors, count);
    std::shared_ptr<const Adapter> adapter = build(backend, factors, count);
    // Unique among all tables: an id that strays to another table is not found there, instead of naming a stranger.
    static std::atomic<int64_t> last_id{0};
    const int64_t id = last_id.fetch_add(1, std::memory_order_relaxed) + 1;
    const std::lock_guard lock(mutex_);
    adapters_.emplace(id, std::move(adapter));
    return id;
}

void LoraTable::remove(int64_t id) {
    std::shared_ptr<const Adapter> removed;  // freed after the lock is released
    const std::lock_guard lock(mutex_);
    const auto found = adapters_.find(id);
    if (found == adapters_.end()) {
        fail(LK_NOT_FOUND, "adapter: %lld is not in the table; it was never added or is removed already", ll(id));
    }
    removed = std::move(found->second);
    adapters_.erase(found);
}

}  // namespace lk
