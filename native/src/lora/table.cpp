#include "lora/table.h"

#include <algorithm>
#include <atomic>
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

int64_t matrix_bytes(const lk_lora_factors& f, bool transposed) {
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

// A matrix as it lies on a device: in tiles, or in panels where there are some. `transposed`: it is B.
void write_matrix(const lk_matrix& matrix, bool transposed, const ColumnPanels* panels, char* out) {
    with_dtype(matrix.dtype, [&]<class T>(T*) {
        if (panels != nullptr) {
            copy_panels<T>(matrix, *panels, out);
        } else {
            copy_tiles<T>(matrix, transposed, out);
        }
    });
}

void write_vectors(const lk_lora_factors& f, char* out) {
    float* vector = reinterpret_cast<float*>(out);
    for (const lk_matrix* const source : {&f.bias, &f.column_scale}) {
        if (source->rows == 0) continue;
        read_row(*source, 0, 0, source->columns, vector);
        vector += source->columns;
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

LoraTable::LoraTable(const DeviceId& device, std::shared_ptr<AdapterMemory> memory, const lk_lora_module* modules,
                     int32_t count)
    : device_(device), memory_(std::move(memory)) {
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

// Plans keep the table alive: what they held has been released.
LoraTable::~LoraTable() {
    index_.for_each([](const Adapter& adapter) { delete &adapter; });
}

// A and B with its vectors of each update; at the end the descriptors, of which a CPU has none.
std::vector<int64_t> LoraTable::parts_of(const lk_lora_factors* factors, int32_t count) const {
    std::vector<int64_t> parts;
    for (int32_t i = 0; i < count; ++i) {
        parts.push_back(matrix_bytes(factors[i], false));
        parts.push_back(matrix_bytes(factors[i], true) + vector_bytes(factors[i]));
    }
    if (device_.kind != LK_DEVICE_CPU) {
        parts.push_back(round_up(slice_count_ * int64_t(sizeof(LoraDescriptor)), 64));
    }
    return parts;
}

std::unique_ptr<Adapter> LoraTable::build(Backend& backend, const lk_lora_factors* factors, int32_t count) const {
    const bool has_descriptors = device_.kind != LK_DEVICE_CPU;
    const std::vector<int64_t> parts = parts_of(factors, count);
    auto adapter = std::make_unique<Adapter>();
    adapter->place = memory_->allocate(parts);
    adapter->index_of_slice.assign(size_t(slice_count_), -1);
    std::vector<LoraDescriptor> descriptors(size_t(has_descriptors ? slice_count_ : 0));
    for (int32_t i = 0; i < count; ++i) {
        const lk_lora_factors& f = factors[i];
        const int64_t rank = f.a.rows, in = f.a.columns, out = f.b.rows;
        const char* const a = adapter->place->parts()[size_t(2 * i)];
        const char* const b = adapter->place->parts()[size_t(2 * i + 1)];
        const auto* const vectors = reinterpret_cast<const float*>(b + matrix_bytes(f, true));
        const bool has_bias = f.bias.rows > 0, has_column_scale = f.column_scale.rows > 0;
        adapter->rescales = adapter->rescales || has_column_scale;
        const int32_t slice = modules_[size_t(f.module)].first_slice + f.slice;
        adapter->index_of_slice[size_t(slice)] = i;
        const int64_t first_column = modules_[size_t(f.module)].slices[size_t(f.slice)].offset;
        const ColumnPanels panels{b, first_column % PanelLayout::kColumns, out, rank_tiles(rank) * kRankTile,
                                  size_of(f.b.dtype)};
        adapter->factors.push_back({rank, in, out, f.scale, f.a.dtype, f.b.dtype, true,
                                    tiles_at(a, rank, in, f.a.dtype), panels, has_bias ? vectors : nullptr,
                                    has_column_scale ? vectors + (has_bias ? out : 0) : nullptr});
        if (has_descriptors) {
            const auto present = uint16_t((has_bias ? kHasBias : 0) | (has_column_scale ? kHasColumnScale : 0));
            descriptors[size_t(slice)] = {a,       b,         first_column, out,  f.scale, int16_t(rank),
                                          present, f.a.dtype, f.b.dtype,    true, 0};
        }
    }
    for (const LoraModule& module : modules_) {
        adapter->widest_tiles = std::max(adapter->widest_tiles, adapter->tiles_in(module));
    }
    backend.fill(adapter->place->parts(), parts, [&](size_t part, char* out) {
        if (part == size_t(2 * count)) {
            std::memcpy(out, descriptors.data(), descriptors.size() * sizeof(LoraDescriptor));
            return;
        }
        const lk_lora_factors& f = factors[part / 2];
        LoraFactors& update = adapter->factors[part / 2];
        const bool is_b = part % 2 != 0;
        const lk_matrix& matrix = is_b ? f.b : f.a;
        write_matrix(matrix, is_b, is_b && !has_descriptors ? &update.b : nullptr, out);
        update.finite = update.finite && is_finite(matrix);
        if (!is_b) return;
        write_vectors(f, out + matrix_bytes(f, true));
        update.finite = update.finite && is_finite(f.bias) && is_finite(f.column_scale);
        if (!has_descriptors) return;
        descriptors[size_t(modules_[size_t(f.module)].first_slice + f.slice)].finite = update.finite;
    });
    return adapter;
}

int64_t LoraTable::add(Backend& backend, const lk_lora_factors* factors, int32_t count) {
    check(factors, count);
    std::unique_ptr<Adapter> adapter = build(backend, factors, count);
    // Unique among all tables: an id that strays to another table is not found there, instead of naming a stranger.
    static std::atomic<int64_t> last_id{0};
    const int64_t id = last_id.fetch_add(1, std::memory_order_relaxed) + 1;
    const std::lock_guard lock(mutex_);
    free_numbers_.reserve(size_t(numbers_) + 1);  // for the release of any of them
    index_.insert(id, adapter.get());
    if (free_numbers_.empty()) {
        adapter->number = numbers_++;
    } else {
        adapter->number = free_numbers_.back();
        free_numbers_.pop_back();
    }
    adapter.release();
    return id;
}

void LoraTable::remove(int64_t id) {
    std::vector<const Adapter*> removed;
    {
        const std::lock_guard lock(mutex_);
        const Adapter* const adapter = index_.erase(id);
        if (adapter == nullptr) {
            fail(LK_NOT_FOUND, "adapter: %lld is not in the table; it was never added or is removed already", ll(id));
        }
        removed.push_back(adapter);
    }
    release(removed).clear();
    memory_->retire();
}

Released LoraTable::release(std::vector<const Adapter*>& adapters) const {
    Released released;
    const std::lock_guard lock(mutex_);
    for (const Adapter* const adapter : adapters) {
        if (--adapter->holders > 0) continue;
        free_numbers_.push_back(adapter->number);
        released.emplace_back(adapter);
    }
    adapters.clear();
    return released;
}

int64_t LoraTable::bytes_of(int64_t id) const {
    const std::lock_guard lock(mutex_);
    const Adapter* const adapter = index_.find(id);
    if (adapter == nullptr) {
        fail(LK_NOT_FOUND, "adapter: %lld is not in the table; it was never added or is removed", ll(id));
    }
    return adapter->place->bytes();
}

int64_t LoraTable::measure(const lk_lora_factors* factors, int32_t count) const {
    check(factors, count);
    return memory_->bytes_for(parts_of(factors, count));
}

}  // namespace lk
