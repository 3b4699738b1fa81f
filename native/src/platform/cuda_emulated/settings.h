// How the emulated devices are made and how they behave.
#pragma once

#include <string>

#include "platform/cuda_emulated/lorakernels_emulated.h"

namespace lk::emulated {

// Throws LK_INVALID_ARGUMENT naming the option, its value and what is allowed.
void check_settings(const lk_emulated_options& options);

// Changes what `text` names: "seed=7,rounding=truncate". Throws as above, or naming what is not understood.
void parse_settings(const std::string& text, lk_emulated_options& options);

lk_emulated_options default_settings();

// The defaults with what LORAKERNELS_EMULATED says.
lk_emulated_options settings_of_environment();

}  // namespace lk::emulated
