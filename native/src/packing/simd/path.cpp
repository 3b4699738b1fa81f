// Packing by vectors. Compiled once for each instruction set, which LK_PATH names.
#include "packing/words.h"

namespace lk::cpu::packing {

extern const Path LK_PATH = path();

}  // namespace lk::cpu::packing
