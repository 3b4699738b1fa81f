#include "platform/cuda_emulated/settings.h"

#include <charconv>
#include <cstdlib>
#include <limits>
#include <string_view>

#include "core/error.h"

namespace lk::emulated {
namespace {

// One of the options that are integers: where it is and what it may be.
struct IntegerOption {
    const char* name;
    int64_t minimum;
    int64_t maximum;
    int64_t (*get)(const lk_emulated_options&);
    void (*set)(lk_emulated_options&, int64_t);
};

template <auto Member>
constexpr IntegerOption integer_option(const char* name, int64_t minimum, int64_t maximum) {
    return {name, minimum, maximum, [](const lk_emulated_options& options) { return int64_t(options.*Member); },
            [](lk_emulated_options& options, int64_t value) {
                options.*Member = static_cast<std::remove_reference_t<decltype(options.*Member)>>(value);
            }};
}

constexpr IntegerOption kIntegers[] = {
    integer_option<&lk_emulated_options::seed>("seed", 0, std::numeric_limits<int64_t>::max()),
    integer_option<&lk_emulated_options::checks>("checks", 0, 1),
    integer_option<&lk_emulated_options::conflicts>("conflicts", 0, 1),
    integer_option<&lk_emulated_options::preemption>("preemption", 0, 1'000'000),
    integer_option<&lk_emulated_options::devices>("devices", 0, 16),
    integer_option<&lk_emulated_options::multiprocessors>("multiprocessors", 1, 1024),
    integer_option<&lk_emulated_options::architecture>("architecture", 50, 129),
    integer_option<&lk_emulated_options::driver_version>("driver", 0, 99'990),
    integer_option<&lk_emulated_options::memory_bytes>("memory", 1 << 20, int64_t(1) << 40),
    integer_option<&lk_emulated_options::page_bytes>("pages", 0, int64_t(1) << 30),
};

void check_page(int64_t bytes) {
    if (bytes != 0 && (bytes < 4096 || (bytes & (bytes - 1)) != 0)) {
        fail(LK_INVALID_ARGUMENT, "emulated device: pages is %lld; allowed are 0 and powers of two from 4096 on",
             static_cast<long long>(bytes));
    }
}

void set_option(std::string_view name, std::string_view value, lk_emulated_options& options) {
    if (name == "rounding") {
        if (value != "exact" && value != "truncate") {
            fail(LK_INVALID_ARGUMENT, "emulated device: rounding is '%.*s'; allowed are exact and truncate",
                 int(value.size()), value.data());
        }
        options.rounding = value == "exact" ? LK_EMULATED_EXACT : LK_EMULATED_TRUNCATE;
        return;
    }
    for (const IntegerOption& option : kIntegers) {
        if (name != option.name) continue;
        int64_t number = 0;
        const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
        if (error != std::errc() || end != value.data() + value.size()) {
            fail(LK_INVALID_ARGUMENT, "emulated device: %s is '%.*s'; it is a number", option.name, int(value.size()),
                 value.data());
        }
        if (number < option.minimum || number > option.maximum) {
            fail(LK_INVALID_ARGUMENT, "emulated device: %s is %lld; allowed are %lld ... %lld", option.name,
                 static_cast<long long>(number), static_cast<long long>(option.minimum),
                 static_cast<long long>(option.maximum));
        }
        option.set(options, number);
        return;
    }
    std::string known = "rounding";
    for (const IntegerOption& option : kIntegers) known += std::string(", ") + option.name;
    fail(LK_INVALID_ARGUMENT, "emulated device: no option is named '%.*s'; there are %s", int(name.size()), name.data(),
         known.c_str());
}

}  // namespace

void check_settings(const lk_emulated_options& options) {
    for (const IntegerOption& option : kIntegers) {
        const int64_t value = option.get(options);
        if (value < option.minimum || value > option.maximum) {
            fail(LK_INVALID_ARGUMENT, "options.%s: is %lld; allowed are %lld ... %lld", option.name,
                 static_cast<long long>(value), static_cast<long long>(option.minimum),
                 static_cast<long long>(option.maximum));
        }
    }
    check_page(options.page_bytes);
    if (options.rounding != LK_EMULATED_EXACT && options.rounding != LK_EMULATED_TRUNCATE) {
        fail(LK_INVALID_ARGUMENT, "options.rounding: is %d; allowed are 0 (exact) and 1 (truncate)",
             int(options.rounding));
    }
}

void parse_settings(const std::string& text, lk_emulated_options& options) {
    lk_emulated_options changed = options;
    std::string_view rest = text;
    while (!rest.empty()) {
        const std::string_view entry = rest.substr(0, rest.find(','));
        rest.remove_prefix(std::min(rest.size(), entry.size() + 1));
        const size_t equals = entry.find('=');
        if (equals == std::string_view::npos) {
            fail(LK_INVALID_ARGUMENT, "emulated device: '%.*s' is not name=value", int(entry.size()), entry.data());
        }
        set_option(entry.substr(0, equals), entry.substr(equals + 1), changed);
    }
    check_page(changed.page_bytes);
    options = changed;
}

lk_emulated_options default_settings() {
    lk_emulated_options options{};
    options.struct_size = sizeof options;
    options.rounding = LK_EMULATED_EXACT;
    options.seed = 1;
    options.checks = 1;
    options.preemption = 16;
    options.devices = 1;
    options.multiprocessors = 4;
    options.architecture = 90;
    options.driver_version = 12040;
    options.memory_bytes = int64_t(8) << 30;
    options.page_bytes = 64 << 10;
    return options;
}

lk_emulated_options settings_of_environment() {
    lk_emulated_options options = default_settings();
    const char* text = std::getenv("LORAKERNELS_EMULATED");
    if (text != nullptr) parse_settings(text, options);
    return options;
}

}  // namespace lk::emulated
