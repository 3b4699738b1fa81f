#include "lora/adapter_index.h"

#include <utility>

namespace lk {

void AdapterIndex::insert(int64_t id, Adapter* adapter) {
    if (2 * (count_ + 1) > places_.size()) grow();
    size_t place = home(id);
    while (places_[place].id != kNobody) place = next(place);
    places_[place] = {id, adapter};
    ++count_;
}

Adapter* AdapterIndex::erase(int64_t id) {
    Adapter* const erased = find(id);
    if (erased == nullptr) return nullptr;
    size_t hole = home(id);
    while (places_[hole].id != id) hole = next(hole);
    // Those behind it move up, unless they would come before their home.
    for (size_t place = next(hole); places_[place].id != kNobody; place = next(place)) {
        const size_t from_home = (place - home(places_[place].id)) & (places_.size() - 1);
        const size_t from_hole = (place - hole) & (places_.size() - 1);
        if (from_home < from_hole) continue;
        places_[hole] = places_[place];
        hole = place;
    }
    places_[hole] = {};
    --count_;
    return erased;
}

void AdapterIndex::grow() {
    std::vector<Place> old = std::exchange(places_, std::vector<Place>(2 * places_.size()));
    count_ = 0;
    for (const Place& place : old) {
        if (place.id != kNobody) insert(place.id, place.adapter);
    }
}

}  // namespace lk
