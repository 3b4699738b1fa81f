"""The kernels of a cubin, a fatbin, an object file or a shared library."""

from __future__ import annotations

import re
import struct
import tempfile
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator

from instruction import Instruction, parse_listing
from toolkit import Toolkit, ToolkitError

# The system's share of a block's shared memory, which ptxas counts from this architecture on.
_RESERVED_SHARED_BYTES = 1024
_FIRST_COUNTING_RESERVED = 90
# Of .nv.info sections, as `cuobjdump -elf` names them: EIFMT_SVAL; EIATTR_MAX_THREADS, EIATTR_REQNTID.
_INFO = ".nv.info."
_SIZED_VALUE = 4
_MAX_THREADS = (0x05, 0x10)


@dataclass(frozen=True)
class Kernel:
    """`name` is demangled, `max_threads` what __launch_bounds__ allows (None: not said)."""

    name: str
    mangled: str
    architecture: str
    registers: int
    stack_bytes: int
    local_bytes: int
    static_shared_bytes: int
    max_threads: int | None
    instructions: tuple[Instruction, ...]

    def opcode_counts(self) -> dict[str, int]:
        """Opcode → occurrences in the whole kernel."""
        counts: dict[str, int] = {}
        for instruction in self.instructions:
            if not instruction.never:
                counts[instruction.opcode] = counts.get(instruction.opcode, 0) + 1
        return counts


# `map`, or one that uses several processes.
Mapper = Callable[..., Iterable[Any]]


def load(path: Path, toolkit: Toolkit, each: Mapper = map) -> list[Kernel]:
    """Every kernel for every architecture in the file, by name and architecture."""
    if not path.is_file():
        raise ToolkitError(f"no such file: {path}")
    kernels: list[Kernel] = []
    if path.suffix == ".cubin":
        kernels = _load_cubin(path, toolkit)
    else:
        with tempfile.TemporaryDirectory() as folder:
            toolkit.run("cuobjdump", "-xelf", "all", str(path.resolve()), cwd=folder)
            cubins = sorted(Path(folder).glob("*.cubin"))
            for loaded in each(partial(_load_cubin, toolkit=toolkit), cubins):
                kernels += loaded
    names = toolkit.demangle(sorted({kernel.mangled for kernel in kernels}))
    kernels = [replace(kernel, name=names[kernel.mangled]) for kernel in kernels]
    return sorted(kernels, key=lambda kernel: (kernel.name, kernel.architecture))


def _load_cubin(path: Path, toolkit: Toolkit) -> list[Kernel]:
    listing = toolkit.run("cuobjdump", "-sass", str(path))
    architecture = re.search(r"^\s*code for (sm_\w+)", listing, re.MULTILINE)
    if architecture is None:
        return []
    usage = parse_usage(toolkit.run("cuobjdump", "-res-usage", str(path)))
    bounds = launch_bounds(path.read_bytes())
    return [
        _kernel(mangled, architecture[1], lines, usage[mangled], bounds.get(mangled))
        for mangled, lines in split_functions(listing).items()
        if mangled in usage
    ]


def _kernel(
    mangled: str,
    architecture: str,
    lines: list[str],
    usage: dict[str, int],
    max_threads: int | None,
) -> Kernel:
    shared = usage["SHARED"]
    if int(re.sub(r"\D", "", architecture)) >= _FIRST_COUNTING_RESERVED:
        shared = max(0, shared - _RESERVED_SHARED_BYTES)
    return Kernel(
        mangled,
        mangled,
        architecture,
        usage["REG"],
        usage["STACK"],
        usage["LOCAL"],
        shared,
        max_threads,
        tuple(parse_listing(lines)),
    )


def split_functions(listing: str) -> dict[str, list[str]]:
    """Function name → its lines of `cuobjdump -sass`."""
    functions: dict[str, list[str]] = {}
    current: list[str] = []
    for line in listing.splitlines():
        found = re.match(r"\s*Function : (\S+)", line)
        if found is not None:
            current = functions.setdefault(found[1], [])
        else:
            current.append(line)
    return functions


def parse_usage(text: str) -> dict[str, dict[str, int]]:
    """Function → {"REG": 26, "STACK": 0, "SHARED": 400, "LOCAL": 0} of `cuobjdump -res-usage`."""
    usage = {}
    for found in re.finditer(r"Function (\S+?):\s*\n\s*(REG:.*)", text):
        usage[found[1]] = {
            key: int(value) for key, value in re.findall(r"\b([A-Z]+):(\d+)", found[2])
        }
    return usage


def launch_bounds(cubin: bytes) -> dict[str, int]:
    """Function → the most threads that its __launch_bounds__ allow: an attribute in its section
    .nv.info.NAME of the ELF file."""
    bounds: dict[str, int] = {}
    for name, content in _elf_sections(cubin):
        if not name.startswith(_INFO):
            continue
        at = 0
        while at < len(content):
            # A value that does not fit into these four bytes follows, and they have its size.
            layout, attribute, size = struct.unpack_from("<BBH", content, at)
            at += 4
            if layout != _SIZED_VALUE:
                continue
            if attribute in _MAX_THREADS:
                x, y, z = struct.unpack_from("<3I", content, at)
                bounds[name.removeprefix(_INFO)] = x * y * z
            at += size
    return bounds


def _elf_sections(file: bytes) -> Iterator[tuple[str, bytes]]:
    """Name and content of each section of a 64-bit little-endian ELF file."""
    (table,) = struct.unpack_from("<Q", file, 0x28)
    entry_size, count, of_names = struct.unpack_from("<HHH", file, 0x3A)
    # Name, type, flags, address, offset, size.
    headers = [struct.unpack_from("<IIQQQQ", file, table + entry_size * k) for k in range(count)]
    names = headers[of_names][4]
    for start, _, _, _, offset, size in headers:
        end = file.index(0, names + start)
        yield file[names + start : end].decode(), file[offset : offset + size]
