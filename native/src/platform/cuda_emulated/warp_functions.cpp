// Shuffles, votes and the other functions of a warp.
#include <bit>

#include "platform/cuda_emulated/collective.h"
#include "platform/cuda_emulated/findings.h"
#include "platform/cuda_emulated/primitives_warp.h"

namespace lk::emulated {
namespace {

struct Exchange {
    uint32_t value;
    uint32_t source;  // lane
    uint32_t result;
};

Exchange& exchange(void* const* arguments, uint32_t lane) {
    return *static_cast<Exchange*>(arguments[lane]);
}

// Calls visit(lane) for the lanes of the mask.
template <class Visit>
void for_lanes(uint32_t mask, Visit visit) {
    for (; mask != 0; mask &= mask - 1) visit(uint32_t(std::countr_zero(mask)));
}

uint32_t shuffle_from(const char* name, uint32_t value, uint32_t source, uint32_t mask, Site site) {
    Exchange mine{value, source, 0};
    collective(name, mask, &mine, site, [](Warp& warp, uint32_t lanes, void* const* arguments) {
        for_lanes(lanes, [&](uint32_t lane) {
            Exchange& to = exchange(arguments, lane);
            if ((lanes >> to.source & 1) != 0) {
                to.result = exchange(arguments, to.source).value;
                return;
            }
            note(warp.lanes[lane], "shuffle", nullptr, "reads lane %u, which takes no part", to.source);
            to.result = poison_word;
        });
    });
    return mine.result;
}

// The body gives every lane the same result, made of all values.
template <class Combine>
void give_all(uint32_t lanes, void* const* arguments, Combine combine) {
    uint32_t result = 0;
    for_lanes(lanes, [&](uint32_t lane) { result = combine(result, lane, exchange(arguments, lane).value); });
    for_lanes(lanes, [&](uint32_t lane) { exchange(arguments, lane).result = result; });
}

void ballot_body(Warp&, uint32_t lanes, void* const* arguments) {
    give_all(lanes, arguments, [](uint32_t bits, uint32_t lane, uint32_t value) { return bits | value << lane; });
}

uint32_t lane_number() {
    return current_lane->number;
}

}  // namespace

void warp_sync(uint32_t mask, Site site) {
    collective("warp_sync", mask, nullptr, site, [](Warp& warp, uint32_t lanes, void* const*) {
        if (warp.block->run->checked()) synchronise(warp, lanes);
    });
}

uint32_t shuffle_bits(uint32_t value, uint32_t source, uint32_t mask, Site site) {
    return shuffle_from("shuffle", value, source % warp_size, mask, site);
}

uint32_t shuffle_xor_bits(uint32_t value, uint32_t bits, uint32_t mask, Site site) {
    return shuffle_from("shuffle_xor", value, (lane_number() ^ bits) % warp_size, mask, site);
}

uint32_t shuffle_down_bits(uint32_t value, uint32_t delta, uint32_t mask, Site site) {
    const uint32_t source = lane_number() + delta;
    return shuffle_from("shuffle_down", value, source < warp_size ? source : lane_number(), mask, site);
}

uint32_t shuffle_up_bits(uint32_t value, uint32_t delta, uint32_t mask, Site site) {
    return shuffle_from("shuffle_up", value, lane_number() >= delta ? lane_number() - delta : lane_number(), mask,
                        site);
}

uint32_t ballot(bool predicate, uint32_t mask, Site site) {
    Exchange mine{predicate, 0, 0};
    collective("ballot", mask, &mine, site, ballot_body);
    return mine.result;
}

bool any(bool predicate, uint32_t mask, Site site) {
    Exchange mine{predicate, 0, 0};
    collective("any", mask, &mine, site, ballot_body);
    return mine.result != 0;
}

bool all(bool predicate, uint32_t mask, Site site) {
    Exchange mine{!predicate, 0, 0};
    collective("all", mask, &mine, site, ballot_body);
    return mine.result == 0;
}

uint32_t match_any(uint32_t value, uint32_t mask, Site site) {
    Exchange mine{value, 0, 0};
    collective("match_any", mask, &mine, site, [](Warp&, uint32_t lanes, void* const* arguments) {
        for_lanes(lanes, [&](uint32_t lane) {
            Exchange& to = exchange(arguments, lane);
            for_lanes(lanes, [&](uint32_t other) {
                if (exchange(arguments, other).value == to.value) to.result |= 1u << other;
            });
        });
    });
    return mine.result;
}

bool elect_one(Site site) {
    Exchange mine{0, 0, 0};
    collective("elect_one", current_lane->warp->alive(), &mine, site,
               [](Warp&, uint32_t lanes, void* const* arguments) {
                   exchange(arguments, uint32_t(std::countr_zero(lanes))).result = 1;
               });
    return mine.result != 0;
}

uint32_t warp_reduce_add(uint32_t value, uint32_t mask, Site site) {
    Exchange mine{value, 0, 0};
    collective("warp_reduce_add", mask, &mine, site, [](Warp&, uint32_t lanes, void* const* arguments) {
        give_all(lanes, arguments, [](uint32_t sum, uint32_t, uint32_t term) { return sum + term; });
    });
    return mine.result;
}

}  // namespace lk::emulated
