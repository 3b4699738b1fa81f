"""Budgets: what a kernel may cost, written in budget.json beside the kernels.

    {"kernels": [{
        "kernel": "lk::matmul::decode<.*>",  regular expression, must match the whole readable name
        "launch": {"threads": 256, "dynamic_shared": 0},
        "loops": [{                       that the weights pass through in turn; the main one first
            "weights_each": {"HMMA": 8},  weights of a lane for each such instruction of the loop,
            "weights": 16,                or for a whole iteration
            "bytes_per_weight": 0.516,    memory traffic; if not given, the loop's loads and stores
            "stages": 4,                  of a ring of buffers
            "opcode": "HMMA",             the loop has this opcode
            "straight_line": true         no loop: the kernel's whole code is one iteration
        }],
        "limits": {"all": {LIMITS}, "sm_90": {LIMITS}}  an architecture's go first
    }]}

Limits (all optional): registers, spills (0 if not given), stack (0 if not given), static_shared,
per_weight {pipe or TOTAL: most instructions}, must and must_not (beginnings of opcodes),
min_occupancy, min_bytes_in_flight, min_bandwidth, min_free_bandwidth (the instructions alone),
min_tensor.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipes import PIPES


class BudgetError(Exception):
    """A budget file that cannot be read."""


@dataclass(frozen=True)
class LoopSpec:
    """What the SASS cannot tell about a main loop."""

    weights_each: dict[str, float] = field(default_factory=dict)
    weights: float | None = None
    bytes_per_weight: float | None = None
    stages: int = 0
    opcode: str | None = None
    straight_line: bool = False


@dataclass(frozen=True)
class Entry:
    """The budget of the kernels whose names match."""

    source: str
    pattern: str
    threads: int | None
    dynamic_shared: int
    loops: tuple[LoopSpec, ...]
    limits: dict[str, dict[str, Any]]

    def matches(self, name: str) -> bool:
        return re.fullmatch(self.pattern, name) is not None

    def limits_for(self, architecture: str) -> dict[str, Any]:
        merged = {"spills": 0, "stack": 0}
        merged.update(self.limits.get("all", {}))
        merged.update(self.limits.get(architecture.rstrip("af"), {}))
        return merged


_NUMBERS = (
    "registers",
    "spills",
    "stack",
    "static_shared",
    "min_occupancy",
    "min_bytes_in_flight",
    "min_bandwidth",
    "min_free_bandwidth",
    "min_tensor",
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
    launch = item.get("launch", {})
    _only(launch, ("threads", "dynamic_shared"), f"{pattern}: launch")
    loops = item.get("loops", [])
    for loop in loops:
        _only(loop, tuple(LoopSpec.__dataclass_fields__), f"{pattern}: loops")
    limits = item.get("limits", {})
    for architecture, values in limits.items():
        if architecture != "all" and re.fullmatch(r"sm_\d+", architecture) is None:
            raise ValueError(f"{pattern}: limits of {architecture!r}: expected all or sm_NN")
        _only(values, _NUMBERS + ("per_weight", "must", "must_not"), f"{pattern}: limits")
        _only(values.get("per_weight", {}), PIPES + ("TOTAL",), f"{pattern}: per_weight")
        for name in _NUMBERS:
            if not isinstance(values.get(name, 0), (int, float)):
                raise ValueError(f"{pattern}: {name} is not a number")
    return Entry(
        source,
        pattern,
        launch.get("threads"),
        launch.get("dynamic_shared", 0),
        tuple(LoopSpec(**loop) for loop in loops),
        limits,
    )


def _only(content: dict[str, Any], allowed: tuple[str, ...], what: str) -> None:
    unknown = sorted(set(content) - set(allowed))
    if unknown:
        raise ValueError(f"{what}: unknown {', '.join(unknown)}; there are {', '.join(allowed)}")
