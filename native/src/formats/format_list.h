// All formats there are.
#pragma once

#include "formats/format.h"

namespace lk {

namespace nf4 {
extern const Format kFormat;
}
namespace q4_0 {
extern const Format kFormat;
}

}  // namespace lk
