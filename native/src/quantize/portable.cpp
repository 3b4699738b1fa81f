// Quantization for any processor that the library was compiled for.
#include "quantize/loops.h"

namespace lk::cpu::quantizing {

extern const Path kPortablePath = path();

}  // namespace lk::cpu::quantizing
