// The objects behind the handles that the emulated runtime gives out.
#pragma once

#include <cstdint>
#include <map>
#include <memory>

namespace lk::emulated {

// A handle is a number that no other handle of the process ever has, so that one whose object is gone, or that belongs
// to another kind of object, is always noticed.
uintptr_t next_handle();

template <class Handle, class Object>
class HandleTable {
  public:
    Handle add(std::unique_ptr<Object> object) {
        const Handle handle = reinterpret_cast<Handle>(next_handle());
        objects_.emplace(handle, std::move(object));
        return handle;
    }
    // NULL when there is none.
    Object* find(Handle handle) const {
        const auto found = objects_.find(handle);
        return found == objects_.end() ? nullptr : found->second.get();
    }
    void remove(Handle handle) { objects_.erase(handle); }

    template <class Predicate>
    void remove_if(Predicate predicate) {
        std::erase_if(objects_, [&](const auto& entry) { return predicate(*entry.second); });
    }

    auto begin() const { return objects_.begin(); }
    auto end() const { return objects_.end(); }

  private:
    std::map<Handle, std::unique_ptr<Object>> objects_;  // ordered: the seed decides, not addresses
};

}  // namespace lk::emulated
