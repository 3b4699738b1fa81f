// Quantization by vectors. Compiled once for each instruction set, which LK_PATH names.
#include "quantize/loops.h"

namespace lk::cpu::quantizing {

extern const Path LK_PATH = path();

}  // namespace lk::cpu::quantizing
