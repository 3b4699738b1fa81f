// The emulated device's functions behind the arch layer, under the same names: see platform/cuda for what they mean.
#pragma once

#include "platform/cuda_emulated/primitives_async.h"
#include "platform/cuda_emulated/primitives_memory.h"
#include "platform/cuda_emulated/primitives_numeric.h"
#include "platform/cuda_emulated/primitives_warp.h"
