// Packing for any processor that the library was compiled for.
#include "packing/words.h"

namespace lk::cpu::packing {

extern const Path kPortablePath = path();

}  // namespace lk::cpu::packing
