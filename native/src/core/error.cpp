#include "core/error.h"

#include <cstdarg>
#include <cstdio>
#include <new>

namespace lk {
namespace {

// A fixed buffer: reporting that memory ran out must not need memory.
thread_local char message_of_thread[1024] = "";

}  // namespace

void fail(lk_status status, const char* format, ...) {
    char text[sizeof message_of_thread];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    throw Error(status, text);
}

const char* last_error() {
    return message_of_thread;
}

void set_last_error(const char* message) {
    std::snprintf(message_of_thread, sizeof message_of_thread, "%s", message);
}

lk_status status_of_current_exception() noexcept {
    try {
        throw;
    } catch (const Error& error) {
        set_last_error(error.what());
        return error.status();
    } catch (const std::bad_alloc&) {
        set_last_error("out of memory: an allocation on the host failed");
        return LK_OUT_OF_MEMORY;
    } catch (const std::exception& error) {
        set_last_error(error.what());
        return LK_INTERNAL;
    } catch (...) {
        set_last_error("an unknown exception reached the ABI");
        return LK_INTERNAL;
    }
}

}  // namespace lk
