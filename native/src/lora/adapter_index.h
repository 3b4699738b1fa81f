// Adapters by id.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lk {

struct Adapter;

// A hash table with open addressing. Ids count up, so that their lowest bits hardly ever collide.
class AdapterIndex {
  public:
    // NULL where there is none.
    Adapter* find(int64_t id) const {
        for (size_t place = home(id);; place = next(place)) {
            if (places_[place].id == id || places_[place].id == kNobody) return places_[place].adapter;
        }
    }
    // An id that is not in it.
    void insert(int64_t id, Adapter* adapter);
    // NULL where there is none.
    Adapter* erase(int64_t id);

    template <class Visit>
    void for_each(Visit&& visit) const {
        for (const Place& place : places_) {
            if (place.id != kNobody) visit(*place.adapter);
        }
    }

  private:
    static constexpr int64_t kNobody = 0;
    struct Place {
        int64_t id = kNobody;
        Adapter* adapter = nullptr;
    };

    size_t home(int64_t id) const { return size_t(id) & (places_.size() - 1); }
    size_t next(size_t place) const { return (place + 1) & (places_.size() - 1); }
    void grow();

    std::vector<Place> places_ = std::vector<Place>(16);  // a power of two, at most half of them taken
    size_t count_ = 0;
};

}  // namespace lk
