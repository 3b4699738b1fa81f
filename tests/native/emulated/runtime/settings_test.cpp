// The options of the emulated device, as text and as a struct.
#include "platform/cuda_emulated/settings.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "core/error.h"
#include "support/abi.h"

namespace lk::test {
namespace {

using namespace lk::emulated;

std::string message_of(const std::string& text) {
    lk_emulated_options options = default_settings();
    try {
        parse_settings(text, options);
    } catch (const Error& error) {
        EXPECT_EQ(error.status(), LK_INVALID_ARGUMENT);
        EXPECT_EQ(options.seed, default_settings().seed);  // nothing is half applied
        return error.what();
    }
    return "";
}

TEST(SettingsTest, TextNamesWhatItChanges) {
    lk_emulated_options options = default_settings();
    parse_settings("seed=7,rounding=truncate,checks=0,devices=2", options);
    EXPECT_EQ(options.seed, 7u);
    EXPECT_EQ(options.rounding, LK_EMULATED_TRUNCATE);
    EXPECT_EQ(options.checks, 0);
    EXPECT_EQ(options.devices, 2);
    EXPECT_EQ(options.architecture, default_settings().architecture);
    parse_settings("", options);
    parse_settings("rounding=exact", options);
    EXPECT_EQ(options.rounding, LK_EMULATED_EXACT);
    EXPECT_EQ(options.seed, 7u);
}

TEST(SettingsTest, MistakesAreNamed) {
    EXPECT_EQ(
        message_of("seed=7,speed=1").rfind("emulated device: no option is named 'speed'; there are rounding, ", 0), 0u);
    EXPECT_EQ(message_of("seed"), "emulated device: 'seed' is not name=value");
    EXPECT_EQ(message_of("seed=1,,devices=2"), "emulated device: '' is not name=value");
    EXPECT_EQ(message_of("seed=7x"), "emulated device: seed is '7x'; it is a number");
    EXPECT_EQ(message_of("seed="), "emulated device: seed is ''; it is a number");
    EXPECT_EQ(message_of("seed=7,devices=17"), "emulated device: devices is 17; allowed are 0 ... 16");
    EXPECT_EQ(message_of("seed=7,pages=6000"),
              "emulated device: pages is 6000; allowed are 0 and powers of two from 4096 on");
    EXPECT_EQ(message_of("rounding=up"), "emulated device: rounding is 'up'; allowed are exact and truncate");
}

TEST(SettingsTest, TheEnvironmentIsRead) {
    setenv("LORAKERNELS_EMULATED", "seed=9", 1);
    EXPECT_EQ(settings_of_environment().seed, 9u);
    setenv("LORAKERNELS_EMULATED", "sed=9", 1);
    EXPECT_THROW(settings_of_environment(), Error);
    unsetenv("LORAKERNELS_EMULATED");
    EXPECT_EQ(settings_of_environment().seed, default_settings().seed);
}

TEST(SettingsTest, OptionsAreChecked) {
    lk_emulated_options before{};
    before.struct_size = sizeof before;
    LK_ASSERT_OK(lk_emulated_options_get(&before));
    lk_emulated_options options = before;
    options.preemption = -1;
    LK_EXPECT_ERROR(LK_INVALID_ARGUMENT, "options.preemption: is -1", lk_emulated_configure(&options));
    options = before;
    options.rounding = static_cast<lk_emulated_rounding>(2);
    LK_EXPECT_ERROR(LK_INVALID_ARGUMENT, "options.rounding: is 2", lk_emulated_configure(&options));
    options = before;
    options.struct_size = 4;
    LK_EXPECT_ERROR(LK_ABI_MISMATCH, "struct_size", lk_emulated_configure(&options));
    LK_EXPECT_ERROR(LK_INVALID_ARGUMENT, "text: is NULL", lk_emulated_configure_text(nullptr));
    LK_EXPECT_ERROR(LK_INVALID_ARGUMENT, "failure: is 9", lk_emulated_fail_next(static_cast<lk_emulated_failure>(9)));
    options = before;
    options.seed = 5;
    LK_EXPECT_OK(lk_emulated_configure(&options));
    LK_EXPECT_OK(lk_emulated_options_get(&options));
    EXPECT_EQ(options.seed, 5u);
    LK_EXPECT_OK(lk_emulated_configure(&before));
}

}  // namespace
}  // namespace lk::test
