"""LoraKernels from Python, over the C ABI with ctypes: what checks and benchmarks need."""

from __future__ import annotations

import ctypes
from ctypes import byref, c_int64, c_void_p
from pathlib import Path
from typing import Any, Sequence

import abi
from abi import CopyKind, DeviceKind, DType, Matrix, Status


class LoraKernelsError(Exception):
    """A call that did not return LK_OK."""

    def __init__(self, function: str, status: int, message: str):
        name = Status(status).name if status in Status._value2member_map_ else str(status)
        super().__init__(f"{function}: LK_{name}: {message}")
        self.status = status


class Library:
    """One loaded liblorakernels."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self._library = ctypes.CDLL(str(self.path))
        abi.declare(self._library)
        version = self._library.lk_abi_version()
        if version != abi.ABI_VERSION:
            raise LoraKernelsError("lk_abi_version", Status.ABI_MISMATCH, f"library has {version}")

    def call(self, name: str, *arguments: Any) -> None:
        """Calls a function that returns a status; LoraKernelsError with its message on errors."""
        status = getattr(self._library, name)(*arguments)
        if status != Status.OK:
            message = self._library.lk_last_error().decode("utf-8", "replace")
            raise LoraKernelsError(name, status, message)

    def create(self, name: str, *arguments: Any) -> c_void_p:
        """Calls a function whose last parameter takes a new handle, and returns the handle."""
        handle = c_void_p()
        self.call(name, *arguments, byref(handle))
        return handle

    @property
    def version(self) -> str:
        return self._library.lk_version().decode()

    @property
    def build_info(self) -> str:
        return self._library.lk_build_info().decode()

    @property
    def live_handles(self) -> int:
        return self._library.lk_live_handles()

    def device_count(self, kind: DeviceKind) -> int:
        count = ctypes.c_int32()
        self.call("lk_device_count", kind, byref(count))
        return count.value


class _Handle:
    """Something that the library made. Destroyed with its `with` block, or when collected."""

    _destroy = ""

    def __init__(self, library: Library, handle: c_void_p):
        self.library = library
        self.handle = handle

    def close(self) -> None:
        handle, self.handle = self.handle, c_void_p()
        if handle:
            self.library.call(self._destroy, handle)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "handle", None):
            self.close()


class Buffer(_Handle):
    """Device memory."""

    _destroy = "lk_buffer_destroy"

    def __init__(self, library: Library, handle: c_void_p, size: int):
        super().__init__(library, handle)
        self.size = size

    @property
    def address(self) -> int:
        data = c_void_p()
        self.library.call("lk_buffer_data", self.handle, byref(data))
        return data.value or 0


class Tensor:
    """A matrix in device memory. `owner` keeps the memory alive."""

    def __init__(
        self,
        owner: Any,
        address: int,
        rows: int,
        columns: int,
        dtype: DType,
        row_stride: int | None = None,
    ):
        self.owner = owner
        self.rows = rows
        self.columns = columns
        self.dtype = dtype
        stride = columns if row_stride is None else row_stride
        self.view = Matrix(data=address, rows=rows, columns=columns, row_stride=stride, dtype=dtype)


class Weight(_Handle):
    _destroy = "lk_weight_destroy"

    @property
    def packed_bytes(self) -> int:
        count = c_int64()
        self.library.call("lk_weight_packed_bytes", self.handle, byref(count))
        return count.value


class Table(_Handle):
    _destroy = "lk_lora_table_destroy"


class Batch(_Handle):
    _destroy = "lk_lora_batch_destroy"


class Graph(_Handle):
    _destroy = "lk_graph_destroy"


class HostTensors:
    """A weight's tensors in host memory, in its checkpoint's layout (lk_weight_tensors)."""

    PARTS = (
        "codes",
        "scales",
        "zero_points",
        "group_index",
        "table",
        "outer_table",
        "outer_scales",
    )

    def __init__(self, view: abi.WeightTensors, parts: dict[str, bytes | bytearray]):
        self.view = view
        self.parts = {name: bytearray(parts.get(name, b"")) for name in self.PARTS}
        self._buffers = []
        for name, content in self.parts.items():
            size = len(content)
            storage = (ctypes.c_uint8 * size).from_buffer(content) if size else None
            self._buffers.append(storage)
            address = ctypes.addressof(storage) if storage is not None else None
            setattr(view, name, abi.Bytes(data=address, size=size))


def _optional(tensor: Tensor | None) -> Any:
    return byref(tensor.view) if tensor is not None else None


class Context(_Handle):
    """A stream of a device, and the operations on it."""

    _destroy = "lk_context_destroy"

    def __init__(
        self,
        library: Library,
        kind: DeviceKind,
        index: int = 0,
        stream: int | None = None,
        batch_invariant: bool = False,
    ):
        options = abi.ContextOptions(
            abi_version=abi.ABI_VERSION,
            device_kind=kind,
            device_index=index,
            stream=stream,
            batch_invariant=batch_invariant,
        )
        super().__init__(library, library.create("lk_context_create", byref(options)))
        self.kind = kind
        self._workspace: Buffer | None = None

    def describe(self) -> abi.DeviceInfo:
        info = abi.DeviceInfo()
        self.library.call("lk_context_describe", self.handle, byref(info))
        return info

    def _call(self, name: str, *arguments: Any) -> None:
        self.library.call(name, self.handle, *arguments)

    def _create(self, name: str, *arguments: Any) -> c_void_p:
        return self.library.create(name, self.handle, *arguments)

    def synchronize(self) -> None:
        self._call("lk_context_synchronize")

    # Memory.

    def allocate(self, size: int) -> Buffer:
        return Buffer(self.library, self._create("lk_buffer_create", size), size)

    def empty(self, rows: int, columns: int, dtype: DType, row_stride: int | None = None) -> Tensor:
        stride = columns if row_stride is None else row_stride
        buffer = self.allocate(max(1, rows * stride * dtype.size))
        return Tensor(buffer, buffer.address, rows, columns, dtype, stride)

    def upload(
        self, content: bytes, rows: int, columns: int, dtype: DType, row_stride: int | None = None
    ) -> Tensor:
        """A new matrix with these elements, given row by row without gaps."""
        tensor = self.empty(rows, columns, dtype, row_stride)
        self.write(tensor, content)
        return tensor

    def write(self, tensor: Tensor, content: bytes) -> None:
        host = ctypes.create_string_buffer(content, len(content))
        source = self._host_view(tensor, host)
        self._call("lk_copy", byref(source), CopyKind.HOST_TO_DEVICE, byref(tensor.view))

    def download(self, tensor: Tensor) -> bytes:
        host = ctypes.create_string_buffer(tensor.rows * tensor.columns * tensor.dtype.size)
        target = self._host_view(tensor, host)
        self._call("lk_copy", byref(tensor.view), CopyKind.DEVICE_TO_HOST, byref(target))
        return host.raw

    @staticmethod
    def _host_view(tensor: Tensor, host: Any) -> Matrix:
        return Matrix(
            data=ctypes.addressof(host),
            rows=tensor.rows,
            columns=tensor.columns,
            row_stride=tensor.columns,
            dtype=tensor.dtype,
        )

    def reserve_workspace(
        self, rows: int, weight_shape: tuple[int, int], batch: Batch | None
    ) -> Buffer:
        """Lends the context a workspace for operations of this size, so that they can be captured.

        A graph uses it by address: keep it as long as the graph.
        """
        query = abi.WorkspaceQuery(
            rows=rows,
            out_features=weight_shape[0],
            in_features=weight_shape[1],
            batch=batch.handle if batch is not None else None,
        )
        size = c_int64()
        self._call("lk_workspace_bytes", byref(query), byref(size))
        workspace = self.allocate(max(256, size.value))
        self.use_workspace(workspace)
        return workspace

    def use_workspace(self, workspace: Buffer) -> None:
        self._call("lk_context_set_workspace", workspace.address, workspace.size)
        self._workspace = workspace

    def release_workspace(self) -> None:
        self._call("lk_context_set_workspace", None, 0)
        self._workspace = None

    # Weights.

    def pack(self, tensors: HostTensors) -> Weight:
        return Weight(self.library, self._create("lk_weight_pack", byref(tensors.view)))

    def unpack(self, weight: Weight) -> HostTensors:
        view = abi.WeightTensors()
        self.library.call("lk_weight_describe", weight.handle, byref(view))
        sizes = {name: bytes(getattr(view, name).size) for name in HostTensors.PARTS}
        tensors = HostTensors(view, sizes)
        self._call("lk_weight_unpack", weight.handle, byref(tensors.view))
        return tensors

    def dequantize(self, weight: Weight, y: Tensor) -> None:
        self._call("lk_dequantize", weight.handle, byref(y.view))

    def quantize(self, w: Tensor, group_size: int, outer_group_size: int) -> Weight:
        options = abi.QuantizeOptions(
            format=abi.Format.BNB_NF4, group_size=group_size, outer_group_size=outer_group_size
        )
        return Weight(self.library, self._create("lk_quantize", byref(w.view), byref(options)))

    def matmul(self, x: Tensor, weight: Weight, y: Tensor, bias: Tensor | None = None) -> None:
        self._call("lk_matmul", byref(x.view), weight.handle, _optional(bias), byref(y.view))

    # LoRA.

    def lora_table(self, modules: Sequence[tuple[int, int]]) -> Table:
        """A table of plain modules, given as (out_features, in_features)."""
        array = (abi.LoraModule * len(modules))(
            *(abi.LoraModule(out_features=n, in_features=k) for n, k in modules)
        )
        return Table(self.library, self._create("lk_lora_table_create", array, len(modules)))

    def add_adapter(
        self,
        table: Table,
        rank: int,
        a: bytes,
        b: bytes,
        shape: tuple[int, int],
        scale: float,
        dtype: DType,
        modules: int = 1,
    ) -> int:
        """Adds an adapter with the same factors for the first `modules` modules; returns its id."""
        out_features, in_features = shape
        host_a = ctypes.create_string_buffer(a, len(a))
        host_b = ctypes.create_string_buffer(b, len(b))
        view_a = Matrix(
            data=ctypes.addressof(host_a),
            rows=rank,
            columns=in_features,
            row_stride=in_features,
            dtype=dtype,
        )
        view_b = Matrix(
            data=ctypes.addressof(host_b),
            rows=out_features,
            columns=rank,
            row_stride=rank,
            dtype=dtype,
        )
        factors = (abi.LoraFactors * modules)(
            *(
                abi.LoraFactors(module=module, slice=0, scale=scale, a=view_a, b=view_b)
                for module in range(modules)
            )
        )
        adapter = c_int64()
        self._call("lk_lora_table_add", table.handle, factors, modules, byref(adapter))
        return adapter.value

    def lora_batch(self, table: Table, rows: int, segments: int, max_rank: int) -> Batch:
        options = abi.LoraBatchOptions(
            max_rows=rows,
            max_entries=rows,
            max_segments=max(1, segments),
            max_rank_tiles=rows * -(-max_rank // 8),
        )
        handle = self._create("lk_lora_batch_create", table.handle, byref(options))
        return Batch(self.library, handle)

    def set_batch(self, batch: Batch, adapters: Sequence[int]) -> None:
        """One adapter a row; 0 for none."""
        ids = (c_int64 * len(adapters))(*adapters)
        assignment = abi.LoraAssignment(rows=len(adapters), adapters=ids)
        self._call("lk_lora_batch_set", batch.handle, byref(assignment))

    def shrink_columns(self, batch: Batch) -> int:
        columns = c_int64()
        self.library.call("lk_lora_shrink_columns", batch.handle, 0, byref(columns))
        return columns.value

    def shrink(self, x: Tensor, batch: Batch, s: Tensor, module: int = 0) -> None:
        self._call("lk_lora_shrink", byref(x.view), batch.handle, module, byref(s.view))

    def expand(self, s: Tensor, batch: Batch, y: Tensor, module: int = 0) -> None:
        self._call("lk_lora_expand", byref(s.view), batch.handle, module, byref(y.view))

    def apply(self, x: Tensor, batch: Batch, y: Tensor, module: int = 0) -> None:
        self._call("lk_lora_apply", byref(x.view), batch.handle, module, byref(y.view))

    def linear(
        self,
        x: Tensor,
        weight: Weight,
        batch: Batch | None,
        y: Tensor,
        bias: Tensor | None = None,
        module: int = 0,
    ) -> None:
        self._call(
            "lk_linear",
            byref(x.view),
            weight.handle,
            batch.handle if batch is not None else None,
            module,
            _optional(bias),
            byref(y.view),
        )

    # Graphs.

    def begin_capture(self) -> None:
        self._call("lk_capture_begin")

    def end_capture(self) -> Graph:
        return Graph(self.library, self._create("lk_capture_end"))

    def launch(self, graph: Graph) -> None:
        self._call("lk_graph_launch", graph.handle)
