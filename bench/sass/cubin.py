"""The kernels of a cubin, a fatbin, an object file or a shared library."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from instruction import Instruction, parse_listing
from toolkit import Toolkit, ToolkitError

# The system's share of a block's shared memory, which ptxas counts from this architecture on.
_RESERVED_SHARED_BYTES = 1024
_FIRST_COUNTING_RESERVED = 90


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


def load(path: Path, toolkit: Toolkit) -> list[Kernel]:
    """Every kernel for every architecture in the file, by name and architecture."""
    if not path.is_file():
        raise ToolkitError(f"no such file: {path}")
    kernels: list[Kernel] = []
    if path.suffix == ".cubin":
        kernels = _load_cubin(path, toolkit)
    else:
        with tempfile.TemporaryDirectory() as folder:
            toolkit.run("cuobjdump", "-xelf", "all", str(path.resolve()), cwd=folder)
            for cubin in sorted(Path(folder).glob("*.cubin")):
                kernels += _load_cubin(cubin, toolkit)
    names = toolkit.demangle(sorted({kernel.mangled for kernel in kernels}))
    kernels = [replace(kernel, name=names[kernel.mangled]) for kernel in kernels]
    return sorted(kernels, key=lambda kernel: (kernel.name, kernel.architecture))


def _load_cubin(path: Path, toolkit: Toolkit) -> list[Kernel]:
    listing = toolkit.run("cuobjdump", "-sass", str(path))
    architecture = re.search(r"^\s*code for (sm_\w+)", listing, re.MULTILINE)
    if architecture is None:
        return []
    usage = parse_usage(toolkit.run("cuobjdump", "-res-usage", str(path)))
    bounds = parse_launch_bounds(toolkit.run("cuobjdump", "-elf", str(path)))
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


def parse_launch_bounds(text: str) -> dict[str, int]:
    """Function → the most threads a block may have, of `cuobjdump -elf`."""
    bounds: dict[str, int] = {}
    function = None
    attribute = None
    for line in text.splitlines():
        section = re.match(r"\.nv\.info\.(\S+)", line.strip())
        if section is not None:
            function = section[1]
        found = re.search(r"Attribute:\s*(EIATTR_\w+)", line)
        if found is not None:
            attribute = found[1]
        value = re.search(r"Value:\s*((?:0x[0-9a-f]+\s*){3})", line)
        if value is not None and function and attribute in ("EIATTR_MAX_THREADS", "EIATTR_REQNTID"):
            x, y, z = (int(part, 16) for part in value[1].split())
            bounds[function] = x * y * z
    return bounds
