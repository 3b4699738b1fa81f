#include "platform/cuda_emulated/wgmma.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "platform/cuda_emulated/access.h"
#include "platform/cuda_emulated/async_write.h"
#include "platform/cuda_emulated/collective.h"
#include "platform/cuda_emulated/primitives_warp.h"
#include "platform/cuda_emulated/scheduler.h"
#include "platform/cuda_emulated/wgmma_state.h"

namespace lk::emulated {
namespace {

constexpr uint32_t chunk_bytes = 16;

struct Issue {
    const WgmmaOperands* operands;
    Site site;
};

Warp& first_of_group(const Warp& warp) {
    return *warp.block->warps[warp.number / warps_per_group * warps_per_group];
}

template <class Visit>
void for_group(const Warp& warp, Visit visit) {
    const uint32_t first = first_of_group(warp).number;
    for (uint32_t i = first; i < first + warps_per_group; ++i) visit(*warp.block->warps[i]);
}

// Calls visit(address) for the 16-byte chunks of shared memory that this warp's part of the product reads.
template <class Visit>
void visit_sources(const Warp& warp, const WgmmaSignature& signature, Visit visit) {
    Block& block = *warp.block;
    const auto in_window = [&](uint32_t, uint32_t, uint32_t address) {
        if (address + chunk_bytes > block.shared_bytes) {
            stop("out of bounds", "has a wgmma operand at shared memory +0x%x, behind all variables", address);
        }
        visit(block.shared + address);
    };
    if (!signature.a_in_registers) {
        visit_operand(signature.a_descriptor, warp.number % warps_per_group * 16, 16, in_window);
    }
    visit_operand(signature.b_descriptor, 0, uint32_t(signature.columns), in_window);
}

WgmmaSignature signature_of(const WgmmaOperands& operands) {
    return {operands.a_descriptor, operands.b_descriptor, operands.columns,
            operands.a != nullptr, operands.bfloat16,     operands.accumulate};
}

// All lanes and all four warps must mean the same product.
void check_agreement(Warp& warp, void* const* arguments) {
    const WgmmaSignature signature = signature_of(*static_cast<const Issue*>(arguments[0])->operands);
    for (uint32_t lane = 1; lane < warp_size; ++lane) {
        if (signature_of(*static_cast<const Issue*>(arguments[lane])->operands) == signature) continue;
        stop("wgmma", "has other operands than lane 0 in lane %u", lane);
    }
    if (first_of_group(warp).number + warps_per_group > warp.block->warp_count) {
        stop("wgmma", "is in a warpgroup of less than four warps");
    }
    auto& log = first_of_group(warp).wgmma->issued_by_group;
    const uint64_t index = warp.wgmma->issued;
    if (index == log.size()) {
        log.push_back(signature);
    } else if (!(log[index] == signature)) {
        stop("wgmma", "has other operands than another warp of its warpgroup");
    }
}

// The accumulators that the lanes name, as the state knows them.
size_t find_accumulators(WgmmaState& state, void* const* arguments, int columns) {
    const float* const place = static_cast<const Issue*>(arguments[0])->operands->accumulators;
    for (size_t i = 0; i < state.accumulators.size(); ++i) {
        Accumulators& known = state.accumulators[i];
        if (known.place[0] != place) continue;
        if (known.columns != columns && known.under_way != 0) {
            stop("wgmma", "has accumulators of %d columns where %d are under way", columns, known.columns);
        }
        if (known.columns == columns) return i;
        state.accumulators.erase(state.accumulators.begin() + ptrdiff_t(i));
        break;
    }
    Accumulators added;
    for (uint32_t lane = 0; lane < warp_size; ++lane) {
        added.place[lane] = static_cast<const Issue*>(arguments[lane])->operands->accumulators;
    }
    added.columns = columns;
    added.under_way = 0;
    state.accumulators.push_back(std::move(added));
    return state.accumulators.size() - 1;
}

// Takes the lanes' values and leaves poison in their place.
void take(Warp& warp, Accumulators& accumulators) {
    const WgmmaState& state = *warp.wgmma;
    const size_t per_lane = size_t(accumulators.columns) / 2;
    const bool is_new = accumulators.values.empty();
    bool changed = false;
    accumulators.values.resize(warp_size * per_lane);
    for (uint32_t lane = 0; lane < warp_size; ++lane) {
        float* const place = accumulators.place[lane];
        float* const values = &accumulators.values[lane * per_lane];
        changed |= std::memcmp(place, values, per_lane * sizeof(float)) != 0;
        std::memcpy(values, place, per_lane * sizeof(float));
        std::fill(place, place + per_lane, std::bit_cast<float>(poison_word));
    }
    if (!state.fenced && (is_new || changed)) {
        note(*current_lane, "wgmma", nullptr,
             "starts with accumulators that were changed without wgmma_fence after it");
    }
    warp.wgmma_in_flight = true;
}

void put_back(Accumulators& accumulators) {
    const size_t per_lane = size_t(accumulators.columns) / 2;
    for (uint32_t lane = 0; lane < warp_size; ++lane) {
        std::memcpy(accumulators.place[lane], &accumulators.values[lane * per_lane], per_lane * sizeof(float));
    }
}

void check_a_registers(WgmmaState& state, const uint32_t* a) {
    const bool changed = state.last_a == a && std::memcmp(a, state.last_a_values, sizeof state.last_a_values) != 0;
    if ((changed || state.last_a == nullptr) && !state.fenced_since_a) {
        note(*current_lane, "wgmma", nullptr, "has A in registers that were changed without wgmma_fence after it");
    }
    state.last_a = a;
    std::memcpy(state.last_a_values, a, sizeof state.last_a_values);
    state.fenced_since_a = false;
}

void check_sources(Warp& warp, const WgmmaSignature& signature) {
    Block& block = *warp.block;
    if (!block.run->checked()) return visit_sources(warp, signature, [](char*) {});
    // Lanes may know different things: any of them may be the one that did not wait.
    Lane& lane = warp.lanes[block.run->next_random() % warp_size];
    visit_sources(warp, signature, [&](char* chunk) {
        check_proxy(lane, chunk, chunk_bytes, "lets wgmma read");
        note_shared_access(lane, chunk, chunk_bytes, AccessKind::async_read, nullptr);
        begin_async_read(block, chunk, chunk_bytes);
    });
}

void issue_body(Warp& warp, uint32_t lanes, void* const* arguments) {
    if (lanes != all_lanes) stop("divergence", "wgmma in a warp with lanes 0x%08x only", lanes);
    check_agreement(warp, arguments);
    WgmmaState& state = *warp.wgmma;
    const Issue& first = *static_cast<const Issue*>(arguments[0]);
    WgmmaOperation operation;
    operation.signature = signature_of(*first.operands);
    operation.site = first.site;
    check_sources(warp, operation.signature);
    if (operation.signature.a_in_registers) {
        check_a_registers(state, first.operands->a);
        for (uint32_t lane = 0; lane < warp_size; ++lane) {
            const uint32_t* const a = static_cast<const Issue*>(arguments[lane])->operands->a;
            std::memcpy(operation.a[lane], a, sizeof operation.a[lane]);
        }
    }
    operation.accumulator = find_accumulators(state, arguments, operation.signature.columns);
    Accumulators& accumulators = state.accumulators[operation.accumulator];
    if (accumulators.under_way++ == 0) take(warp, accumulators);
    Counters& counters = warp.block->run->report->counters;
    counters.mma += uint64_t(operation.signature.columns) / 8;
    ++counters.wgmma;
    state.operations.add(std::move(operation));
    ++state.issued;
    for_group(warp, [](Warp& other) {
        if (other.wgmma->waiting != 0) wake(other, other.wgmma->waiting);
        other.wgmma->waiting = 0;
    });
}

// The due products read shared memory now.
void complete(Warp& warp, size_t due) {
    WgmmaState& state = *warp.wgmma;
    Block& block = *warp.block;
    ++warp.collective_tick;
    for (size_t i = 0; i < due; ++i) {
        const WgmmaOperation& operation = state.operations.operations[i];
        Accumulators& accumulators = state.accumulators[operation.accumulator];
        compute(block, warp, operation, accumulators);
        if (block.run->checked()) {
            visit_sources(warp, operation.signature, [&](char* chunk) {
                end_async_read(block, chunk, chunk_bytes);
                note_collective_read(warp, chunk, chunk_bytes);
            });
        }
        if (--accumulators.under_way == 0) put_back(accumulators);
    }
    if (due != 0) state.fenced = false;
    warp.wgmma_in_flight = std::any_of(state.accumulators.begin(), state.accumulators.end(),
                                       [](const Accumulators& some) { return some.under_way != 0; });
}

struct Wait {
    size_t pending;
    bool done;
};

void wait_body(Warp& warp, uint32_t lanes, void* const* arguments) {
    if (lanes != all_lanes) stop("divergence", "wgmma_wait in a warp with lanes 0x%08x only", lanes);
    WgmmaState& state = *warp.wgmma;
    const size_t pending = static_cast<const Wait*>(arguments[0])->pending;
    if (pending == 0 && state.operations.open != 0) {
        note(*current_lane, "missing commit", nullptr, "waits for all products but has not committed %u of them",
             state.operations.open);
    }
    const size_t due = state.operations.due(pending);
    bool all_issued = true;
    if (due != 0) {
        for_group(warp,
                  [&](const Warp& other) { all_issued &= other.wgmma->issued >= state.operations.retired + due; });
    }
    for (uint32_t lane = 0; lane < warp_size; ++lane) static_cast<Wait*>(arguments[lane])->done = all_issued;
    state.waiting = all_issued ? 0 : lanes;
    if (!all_issued) return;
    complete(warp, due);
    state.operations.retire(pending);
}

}  // namespace

Warp::Warp() = default;
Warp::~Warp() = default;

void reset_wgmma(Warp& warp) {
    warp.wgmma_in_flight = false;
    if (warp.wgmma == nullptr || warp.wgmma->issued != 0 || warp.wgmma->fenced) {
        warp.wgmma = std::make_unique<WgmmaState>();
    }
}

void check_wgmma_exit(Lane& lane) {
    const WgmmaState& state = *lane.warp->wgmma;
    if (state.operations.operations.empty()) return;
    note(lane, "missing wait", nullptr, "exits with the wgmma of %s under way",
         text_of(state.operations.operations.front().site).c_str());
}

void check_accumulator_access(Lane& lane, const void* address, size_t bytes, const void* pc) {
    for (const Accumulators& accumulators : lane.warp->wgmma->accumulators) {
        if (accumulators.under_way == 0) continue;
        const auto begin = reinterpret_cast<uintptr_t>(accumulators.place[lane.number]);
        const auto place = reinterpret_cast<uintptr_t>(address);
        if (place + bytes <= begin || place >= begin + size_t(accumulators.columns) / 2 * sizeof(float)) continue;
        note(lane, "wgmma", pc, "touches accumulators before wgmma_wait");
    }
}

void wgmma(const WgmmaOperands& operands, Site site) {
    Issue mine{&operands, site};
    collective("wgmma", all_lanes, &mine, site, issue_body);
}

void wgmma_fence(Site site) {
    collective("wgmma_fence", all_lanes, nullptr, site, [](Warp& warp, uint32_t, void* const*) {
        warp.wgmma->fenced = true;
        warp.wgmma->fenced_since_a = true;
    });
}

void wgmma_commit(Site site) {
    collective("wgmma_commit", all_lanes, nullptr, site,
               [](Warp& warp, uint32_t, void* const*) { warp.wgmma->operations.commit(); });
}

void wgmma_wait(int pending, Site site) {
    for (;;) {
        Wait mine{size_t(pending), false};
        collective("wgmma_wait", all_lanes, &mine, site, wait_body);
        if (mine.done) return;
        // The other warps may have come between the collective and here: they have taken this lane off the list then.
        Lane& lane = *current_lane;
        while (lane.warp->wgmma->waiting & lane.bit()) park();
    }
}

}  // namespace lk::emulated
