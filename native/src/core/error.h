// Errors inside the library: thrown as Error, turned into a status and a message at the ABI.
#pragma once

#include <exception>
#include <string>

#include "lorakernels.h"

namespace lk {

class Error : public std::exception {
  public:
    Error(lk_status status, std::string message) : status_(status), message_(std::move(message)) {}
    lk_status status() const { return status_; }
    const char* what() const noexcept override { return message_.c_str(); }

  private:
    lk_status status_;
    std::string message_;
};

// Throws an Error with a printf-formatted message: which argument, which value, what was allowed.
[[noreturn]] __attribute__((format(printf, 2, 3))) void fail(lk_status status, const char* format, ...);

// The message that lk_last_error returns on this thread.
const char* last_error();
void set_last_error(const char* message);

// Turns the exception being handled into a status and sets this thread's message. Call only inside a catch block.
lk_status status_of_current_exception() noexcept;

// Runs an ABI function's body: no exception crosses the boundary.
template <class Body>
lk_status guard(Body&& body) noexcept {
    try {
        body();
        return LK_OK;
    } catch (...) {
        return status_of_current_exception();
    }
}

}  // namespace lk
