"""native/include/lorakernels.h for ctypes: enumerators, structs and prototypes, nothing more.

tests/test_abi.py holds sizes, offsets and enumerators against the header.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_char_p, c_float, c_int32, c_int64, c_uint32, c_void_p
from enum import IntEnum

ABI_VERSION = 1


class Status(IntEnum):
    OK = 0
    INVALID_ARGUMENT = 1
    SHAPE_MISMATCH = 2
    OVERLAP = 3
    UNSUPPORTED = 4
    OUT_OF_MEMORY = 5
    CAPACITY_EXCEEDED = 6
    NOT_FOUND = 7
    BUSY = 8
    ABI_MISMATCH = 9
    DEVICE_UNAVAILABLE = 10
    INTERNAL = 11
    DEVICE_LOST = 12
    DRIVER_TOO_OLD = 13
    ARCHITECTURE_NOT_BUILT = 14


class DeviceKind(IntEnum):
    CPU = 0
    CUDA = 1
    EMULATED = 2


class DType(IntEnum):
    F32 = 0
    F16 = 1
    BF16 = 2

    @property
    def size(self) -> int:
        return 4 if self is DType.F32 else 2


class CopyKind(IntEnum):
    HOST_TO_DEVICE = 0
    DEVICE_TO_HOST = 1
    DEVICE_TO_DEVICE = 2


class Format(IntEnum):
    BNB_NF4 = 1
    GGUF_Q4_0 = 2
    BNB_FP4 = 3
    GGUF_Q4_1 = 4
    GGUF_IQ4_NL = 5
    GGUF_Q4_K = 6
    INT4_PACKED = 7
    MXFP4 = 8
    NVFP4 = 9


class _Struct(ctypes.Structure):
    """A struct whose struct_size, if it has one, is set."""

    def __init__(self, **fields: object):
        super().__init__(**fields)
        if hasattr(self, "struct_size"):
            self.struct_size = ctypes.sizeof(self)


class DeviceInfo(_Struct):
    _fields_ = [
        ("struct_size", c_uint32),
        ("kind", c_int32),
        ("index", c_int32),
        ("compute_units", c_int32),
        ("memory_bytes", c_int64),
        ("name", ctypes.c_char * 128),
        ("isa", ctypes.c_char * 32),
    ]


class Allocator(_Struct):
    _fields_ = [("user", c_void_p), ("allocate", c_void_p), ("release", c_void_p)]


class ContextOptions(_Struct):
    _fields_ = [
        ("struct_size", c_uint32),
        ("abi_version", c_uint32),
        ("device_kind", c_int32),
        ("device_index", c_int32),
        ("cpu_isa", c_int32),
        ("batch_invariant", c_uint32),
        ("compute", c_int32),
        ("reserved", c_uint32),
        ("stream", c_void_p),
        ("allocator", Allocator),
    ]


class Matrix(_Struct):
    _fields_ = [
        ("data", c_void_p),
        ("rows", c_int64),
        ("columns", c_int64),
        ("row_stride", c_int64),
        ("dtype", c_int32),
        ("reserved", c_uint32),
    ]


class Bytes(_Struct):
    _fields_ = [("data", c_void_p), ("size", c_int64)]


class WeightTensors(_Struct):
    _fields_ = [
        ("struct_size", c_uint32),
        ("format", c_int32),
        ("out_features", c_int64),
        ("in_features", c_int64),
        ("group_size", c_int64),
        ("outer_group_size", c_int64),
        ("codes", Bytes),
        ("scales", Bytes),
        ("zero_points", Bytes),
        ("group_index", Bytes),
        ("table", Bytes),
        ("outer_table", Bytes),
        ("outer_scales", Bytes),
        ("outer_offset", c_float),
        ("tensor_scale", c_float),
        ("tensor_scale_divides", c_uint32),
        ("scale_dtype", c_int32),
    ]


class QuantizeOptions(_Struct):
    _fields_ = [
        ("struct_size", c_uint32),
        ("format", c_int32),
        ("group_size", c_int64),
        ("outer_group_size", c_int64),
        ("scale_dtype", c_int32),
        ("has_zero_points", c_uint32),
    ]


class OutputSlice(_Struct):
    _fields_ = [("offset", c_int64), ("size", c_int64)]


class LoraModule(_Struct):
    _fields_ = [
        ("struct_size", c_uint32),
        ("slice_count", c_int32),
        ("in_features", c_int64),
        ("out_features", c_int64),
        ("slices", POINTER(OutputSlice)),
    ]


class LoraFactors(_Struct):
    _fields_ = [
        ("struct_size", c_uint32),
        ("module", c_int32),
        ("slice", c_int32),
        ("scale", c_float),
        ("a", Matrix),
        ("b", Matrix),
        ("bias", Matrix),
        ("column_scale", Matrix),
    ]


class LoraBatchOptions(_Struct):
    _fields_ = [
        ("struct_size", c_uint32),
        ("reserved", c_uint32),
        ("max_rows", c_int64),
        ("max_entries", c_int64),
        ("max_segments", c_int64),
        ("max_rank_tiles", c_int64),
    ]


class LoraAssignment(_Struct):
    _fields_ = [
        ("struct_size", c_uint32),
        ("reserved", c_uint32),
        ("rows", c_int64),
        ("row_offsets", POINTER(c_int64)),
        ("adapters", POINTER(c_int64)),
        ("weights", POINTER(c_float)),
    ]


class WorkspaceQuery(_Struct):
    _fields_ = [
        ("struct_size", c_uint32),
        ("reserved", c_uint32),
        ("rows", c_int64),
        ("in_features", c_int64),
        ("out_features", c_int64),
        ("batch", c_void_p),
    ]


_HANDLE_OUT = POINTER(c_void_p)
_MATRIX = POINTER(Matrix)
_INT64_OUT = POINTER(c_int64)
_TENSORS = POINTER(WeightTensors)

# Functions that return a status, and their parameters.
_CALLS: dict[str, list[type]] = {
    "lk_device_count": [c_int32, POINTER(c_int32)],
    "lk_device_describe": [c_int32, c_int32, POINTER(DeviceInfo)],
    "lk_cpu_set_thread_count": [c_int32],
    "lk_context_create": [POINTER(ContextOptions), _HANDLE_OUT],
    "lk_context_destroy": [c_void_p],
    "lk_context_describe": [c_void_p, POINTER(DeviceInfo)],
    "lk_context_synchronize": [c_void_p],
    "lk_context_stream": [c_void_p, _HANDLE_OUT],
    "lk_context_set_workspace": [c_void_p, c_void_p, c_int64],
    "lk_capture_begin": [c_void_p],
    "lk_capture_end": [c_void_p, _HANDLE_OUT],
    "lk_graph_launch": [c_void_p, c_void_p],
    "lk_graph_destroy": [c_void_p],
    "lk_buffer_create": [c_void_p, c_int64, _HANDLE_OUT],
    "lk_buffer_destroy": [c_void_p],
    "lk_buffer_data": [c_void_p, _HANDLE_OUT],
    "lk_copy": [c_void_p, _MATRIX, c_int32, _MATRIX],
    "lk_weight_pack": [c_void_p, _TENSORS, _HANDLE_OUT],
    "lk_weight_destroy": [c_void_p],
    "lk_weight_describe": [c_void_p, _TENSORS],
    "lk_weight_packed_bytes": [c_void_p, _INT64_OUT],
    "lk_weight_unpack": [c_void_p, c_void_p, _TENSORS],
    "lk_dequantize": [c_void_p, c_void_p, _MATRIX],
    "lk_quantize": [c_void_p, _MATRIX, POINTER(QuantizeOptions), _HANDLE_OUT],
    "lk_matmul": [c_void_p, _MATRIX, c_void_p, _MATRIX, _MATRIX],
    "lk_lora_table_create": [c_void_p, POINTER(LoraModule), c_int32, _HANDLE_OUT],
    "lk_lora_table_destroy": [c_void_p],
    "lk_lora_table_add": [c_void_p, c_void_p, POINTER(LoraFactors), c_int32, _INT64_OUT],
    "lk_lora_table_remove": [c_void_p, c_int64],
    "lk_lora_adapter_bytes": [c_void_p, c_int64, _INT64_OUT],
    "lk_lora_table_measure": [c_void_p, POINTER(LoraFactors), c_int32, _INT64_OUT],
    "lk_lora_table_bytes": [c_void_p, _INT64_OUT],
    "lk_lora_table_reserved_bytes": [c_void_p, _INT64_OUT],
    "lk_lora_table_trim": [c_void_p],
    "lk_lora_batch_create": [c_void_p, c_void_p, POINTER(LoraBatchOptions), _HANDLE_OUT],
    "lk_lora_batch_destroy": [c_void_p],
    "lk_lora_batch_set": [c_void_p, c_void_p, POINTER(LoraAssignment)],
    "lk_lora_shrink_columns": [c_void_p, c_int32, _INT64_OUT],
    "lk_lora_shrink": [c_void_p, _MATRIX, c_void_p, c_int32, _MATRIX],
    "lk_lora_expand": [c_void_p, _MATRIX, c_void_p, c_int32, _MATRIX],
    "lk_lora_apply": [c_void_p, _MATRIX, c_void_p, c_int32, _MATRIX],
    "lk_linear": [c_void_p, _MATRIX, c_void_p, c_void_p, c_int32, _MATRIX, _MATRIX],
    "lk_workspace_bytes": [c_void_p, POINTER(WorkspaceQuery), _INT64_OUT],
}

# Functions that cannot fail: what they return and their parameters.
_ANSWERS: dict[str, tuple[type, list[type]]] = {
    "lk_status_name": (c_char_p, [c_int32]),
    "lk_last_error": (c_char_p, []),
    "lk_abi_version": (c_uint32, []),
    "lk_version": (c_char_p, []),
    "lk_build_info": (c_char_p, []),
    "lk_live_handles": (c_int64, []),
    "lk_cpu_thread_count": (c_int32, []),
}

FUNCTIONS = sorted([*_CALLS, *_ANSWERS])


def declare(library: ctypes.CDLL) -> None:
    """Gives the library's functions their parameters and results."""
    for name, parameters in _CALLS.items():
        function = getattr(library, name)
        function.argtypes = parameters
        function.restype = c_int32
    for name, (result, parameters) in _ANSWERS.items():
        function = getattr(library, name)
        function.argtypes = parameters
        function.restype = result
