"""Budgets: what a kernel may cost, written in budget.json beside the kernels.

    {"kernels": [{
        "kernel": "lk::cuda::decode_kernel<.*>",  regular expression, matches the whole readable name
        "launch": {
            "threads": 512,                   of a block (default: what __launch_bounds__ says)
            "dynamic_shared": "M * K * 2",    bytes (default 0)
            "blocks": "ceil_div(N, 32)",      of the grid (default: enough to fill every SM)
            "shapes": [{"M": 1, "N": 4096, "K": 4096}, {"M": 8, "N": 4096, "K": 4096}]
        },
        "loops": [{                           that the weights pass through in turn; the main one first
            "weights_each": {"HMMA": 8},      weights of a lane for each such instruction of the loop,
            "weights": 16,                    or for a whole iteration
            "iterations": "K // 128 // warps",  of one warp
            "uneven": true,                   of the mean warp: a block's warps differ by one
            "loads": {                        what the loop's loads bring
                "codes":  {"bytes": 0.5},
                "scales": {"bytes": 0.015625, "lanes": 4},
                "x":      {"bytes": 0.0625, "lanes": 8, "opcode": "LDG.E.128", "cached": true}
            },
            "bytes_per_weight": 0.516,        without "loads": memory traffic; if neither is given, all
                                              that the loop's loads and stores access
            "stages": 4,                      of a ring that bulk copies fill
            "opcode": "HMMA",                 the loop has this opcode
            "path": "longest",                where it branches, all lanes take one way; see below
            "straight_line": true             no loop: the kernel's whole code is one iteration
        }],
        "limits": {"all": {LIMITS}, "sm_90": {LIMITS}}  an architecture's go first
    }]}

Where architectures differ in their loops: "loops": {"all": [...], "sm_80": [...]}.

**The judged loop** is the innermost one with the most tensor instructions, then the most arithmetic:
of two versions of a loop, full and tail, the full one. Where it branches, both sides
count; with `path` one: the way through the most tensor instructions and copies, then the longest or
the shortest, as of a switch over scales of several kinds. What the entry says of the loop is held
against the code, and a contradiction is a violation:

- `iterations`: blocks * warps * 32 * (weights of an iteration) * iterations must be 95 to 100 % of
  N * K (`min_share` says otherwise). Weights of an iteration are counted in the code. Where such
  instructions (`weights_each`) lie outside the loop too, a tail takes what full iterations leave, so
  that iterations must be whole, if `uneven` those of a block: write `//`. A loop that has them all may be left within an iteration:
  write `/`. What every way through the loop passes outside it too, such as the last stages of a
  pipeline, counts once for each warp, and not as the loop's.
- `loads`: their widths in the loop must be weights * bytes * lanes. `bytes` are those a weight takes in
  memory. `lanes` is how many bytes lanes load for one of them: lanes of a warp that load the same
  bytes count each, and so do the idle lanes of a predicated copy. `opcode` (the beginning) tells one
  load's instructions from the others'; those without share what is left. `cached`: from L2, no memory
  traffic. Needed where `iterations` are given.

Formulas know M, N, K and whatever else a shape names, threads, warps (of a block), blocks, SMs (of the
processor that is predicted), + - * / // %, min, max, ceil_div.

Limits (all optional), at every shape: registers, spills (0 if not given), stack (0 if not given),
static_shared, per_weight {pipe or TOTAL: most instructions of the judged loops}, must and must_not
(beginnings of opcodes), min_share (0.95 where iterations are given), min_occupancy,
min_bytes_in_flight (of an SM, by loads issued ahead of their use: cp.async groups, or loads that are
awaited in a later iteration or behind arithmetic on other data), min_bandwidth (predicted fraction of
the memory's), min_free_bandwidth (the instructions alone), min_tensor (fraction of the tensor peak),
min_tensor_share (tensor instructions of all instructions of the loop).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Mapping

from formula import Formula, evaluate
from pipes import PIPES


class BudgetError(Exception):
    """A budget file that cannot be read."""


@dataclass(frozen=True)
class Load:
    """Something that a loop loads: bytes for each weight."""

    bytes: float
    lanes: float = 1
    opcode: str = ""
    cached: bool = False


@dataclass(frozen=True)
class LoopSpec:
    """What the SASS cannot tell about a main loop."""

    weights_each: dict[str, float] = field(default_factory=dict)
    weights: float | None = None
    iterations: Formula | None = None
    uneven: bool = False
    loads: dict[str, Load] = field(default_factory=dict)
    bytes_per_weight: float | None = None
    stages: int = 0
    opcode: str | None = None
    path: str | None = None
    straight_line: bool = False


@dataclass(frozen=True)
class Launch:
    """`shapes` are the sizes that the other formulas are worked out for."""

    threads: int | None = None
    dynamic_shared: Formula = 0
    blocks: Formula | None = None
    shapes: tuple[Mapping[str, int], ...] = ({},)


@dataclass(frozen=True)
class Entry:
    """The budget of the kernels whose names match."""

    source: str
    pattern: str
    launch: Launch = Launch()
    loops: dict[str, tuple[LoopSpec, ...]] = field(default_factory=dict)
    limits: dict[str, dict[str, Any]] = field(default_factory=dict)

    def matches(self, name: str) -> bool:
        return re.fullmatch(self.pattern, name) is not None

    def loops_for(self, architecture: str) -> tuple[LoopSpec, ...]:
        return self.loops.get(_family(architecture), self.loops.get("all", ()))

    def limits_for(self, architecture: str) -> dict[str, Any]:
        merged = {"spills": 0, "stack": 0}
        if any(loop.iterations is not None for loop in self.loops_for(architecture)):
            merged["min_share"] = 0.95
        merged.update(self.limits.get("all", {}))
        merged.update(self.limits.get(_family(architecture), {}))
        return merged


def _family(architecture: str) -> str:
    return architecture.rstrip("af")


_NUMBERS = (
    "registers",
    "spills",
    "stack",
    "static_shared",
    "min_share",
    "min_occupancy",
    "min_bytes_in_flight",
    "min_bandwidth",
    "min_free_bandwidth",
    "min_tensor",
    "min_tensor_share",
)


def read(path: Path) -> list[Entry]:
    """The entries of one budget file; BudgetError names what is wrong with it."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        _only(content, ("kernels",), "the file")
        return [_entry(str(path), item) for item in content["kernels"]]
    except (OSError, ValueError, KeyError, TypeError, re.error) as error:
        raise BudgetError(f"{path}: {type(error).__name__}: {error}") from error


def _entry(source: str, item: dict[str, Any]) -> Entry:
    pattern = item["kernel"]
    re.compile(pattern)
    _only(item, ("kernel", "launch", "loops", "limits"), pattern)
    launch = _launch(item.get("launch", {}), pattern)
    listed = item.get("loops", [])
    loops = {
        architecture: tuple(_loop(each, launch, pattern) for each in specs)
        for architecture, specs in (listed if isinstance(listed, dict) else {"all": listed}).items()
    }
    limits = item.get("limits", {})
    for what, architectures in (("loops", loops), ("limits", limits)):
        for architecture in architectures:
            if architecture != "all" and re.fullmatch(r"sm_\d+", architecture) is None:
                raise ValueError(f"{pattern}: {what} of {architecture!r}: expected all or sm_NN")
    for values in limits.values():
        _only(values, _NUMBERS + ("per_weight", "must", "must_not"), f"{pattern}: limits")
        _only(values.get("per_weight", {}), PIPES + ("TOTAL",), f"{pattern}: per_weight")
        for name in _NUMBERS:
            if not isinstance(values.get(name, 0), (int, float)):
                raise ValueError(f"{pattern}: {name} is not a number")
    return Entry(source, pattern, launch, loops, limits)


def _launch(content: dict[str, Any], pattern: str) -> Launch:
    _only(content, tuple(Launch.__dataclass_fields__), f"{pattern}: launch")
    shapes = tuple(content.get("shapes", ({},)))
    launch = Launch(**{**content, "shapes": shapes})
    if launch.threads is not None and not isinstance(launch.threads, int):
        raise ValueError(f"{pattern}: threads is not a number")
    for shape in shapes:
        known = {"threads": 32, "warps": 1, "blocks": 1, "SMs": 1, **shape}
        evaluate(launch.dynamic_shared, known)
        evaluate(launch.blocks or 0, known)
    return launch


def _loop(content: dict[str, Any], launch: Launch, pattern: str) -> LoopSpec:
    where = f"{pattern}: loops"
    _only(content, tuple(LoopSpec.__dataclass_fields__), where)
    loads = {}
    for name, load in content.get("loads", {}).items():
        _only(load, tuple(Load.__dataclass_fields__), f"{where}: {name}")
        loads[name] = Load(**load)
    spec = LoopSpec(**{**content, "loads": loads})
    if spec.path not in (None, "longest", "shortest"):
        raise ValueError(f"{where}: path {spec.path!r}: expected longest or shortest")
    if loads and spec.bytes_per_weight is not None:
        raise ValueError(f"{where}: loads tell the bytes; bytes_per_weight would say it twice")
    if spec.iterations is not None:
        if not loads or launch.blocks is None:
            raise ValueError(f"{where}: iterations need loads, and the launch's blocks and shapes")
        for shape in launch.shapes:
            if not {"N", "K"} <= set(shape):
                raise ValueError(f"{pattern}: a shape without N and K")
            evaluate(spec.iterations, {"threads": 32, "warps": 1, "blocks": 1, "SMs": 1, **shape})
    return spec


def _only(content: Mapping[str, Any], allowed: tuple[str, ...], what: str) -> None:
    unknown = sorted(set(content) - set(allowed))
    if unknown:
        raise ValueError(f"{what}: unknown {', '.join(unknown)}; there are {', '.join(allowed)}")
