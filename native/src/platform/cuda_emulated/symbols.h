// Names of functions by address, for reports.
#pragma once

#include <string>

namespace lk::emulated {

// As in the source, parameters included; empty if nothing is known. Kernels are hidden symbols, which dladdr does not
// know, so this reads the symbol table of the program or library, or of the .debug file beside it.
std::string function_name(const void* address);

}  // namespace lk::emulated
