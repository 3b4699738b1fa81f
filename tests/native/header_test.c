/* Compiled as C11 with -Wpedantic: the public header must stay plain C. */
#include "lorakernels.h"

_Static_assert(sizeof(lk_matrix) == 40, "lk_matrix is part of the ABI");

uint32_t header_abi_version_in_c(void) {
    return LK_ABI_VERSION;
}
