"""Reports of facts as text, Markdown and JSON."""

from __future__ import annotations

import json
from typing import Sequence

from facts import Facts, LoopFacts
from judge import Violation

_HEADINGS = (
    "kernel",
    "arch",
    "regs",
    "spills",
    "stack",
    "shared",
    "threads",
    "occupancy",
    "tensor and copy opcodes",
    "shape",
    "share",
    "instr/weight",
    "by pipe",
    "KiB ahead/SM",
    "limit",
    "bandwidth",
    "free memory",
    "tensor",
    "tensor instr",
)

_LEGEND = """\
shared: static + dynamic bytes of a block. occupancy: resident blocks an SM, share of the most warps, what
limits it. share: of all weights, those of the judged loop. instr/weight: instructions of the loops that a
weight passes through, for each weight of a lane; where a loop branches, both sides count. KiB ahead/SM:
under way from memory by loads ahead of their use. limit: the busiest pipe and the fraction of memory
bandwidth that it allows. bandwidth: predicted fraction of memory bandwidth (replay with control codes). free
memory: the same with a memory that costs nothing. tensor: predicted fraction of the tensor cores' peak.
tensor instr: of all instructions of the loop. All figures are from the compiled code; none was timed."""


def text(facts: Sequence[Facts]) -> str:
    """Aligned columns for a terminal."""
    rows = [_HEADINGS, *(row for fact in facts for row in _rows(fact))]
    widths = [max(len(row[k]) for row in rows) for k in range(len(_HEADINGS))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows
    ]
    lines.insert(1, "─" * max(len(line) for line in lines))
    return "\n".join([*lines, "", _LEGEND]) + "\n"


def markdown(facts: Sequence[Facts], compiler: str) -> str:
    """A page to be kept in the repository."""
    machines = ", ".join(sorted({f"{fact.architecture} as {fact.machine}" for fact in facts}))
    lines = [
        "# Compiled kernels",
        "",
        f"Compiled with CUDA {compiler}. Predictions for {machines}.",
        "",
        "| " + " | ".join(_HEADINGS) + " |",
        "|" + "---|" * len(_HEADINGS),
    ]
    for cells in (row for fact in facts for row in _rows(fact)):
        lines.append("| " + " | ".join((f"`{cells[0]}`", *cells[1:])).replace("  ", " ") + " |")
    return "\n".join([*lines, "", _LEGEND.replace("\n", " ")]) + "\n"


def as_json(facts: Sequence[Facts], violations: Sequence[Violation], compiler: str) -> str:
    """Everything, for programs."""
    content = {
        "compiler": compiler,
        "kernels": [fact.as_json() for fact in facts],
        "violations": [violation.__dict__ for violation in violations],
    }
    return json.dumps(content, indent=1) + "\n"


def _rows(fact: Facts) -> list[tuple[str, ...]]:
    """One for each shape."""
    resident = fact.occupancy
    fixed = (
        fact.name,
        fact.architecture,
        str(fact.registers),
        str(fact.spills),
        str(fact.stack_bytes),
        f"{fact.static_shared}+{fact.dynamic_shared}",
        str(fact.threads or "?"),
        f"{resident.blocks} blocks, {resident.fraction:.0%}, {resident.limiter}"
        if resident
        else "?",
        ", ".join(f"{opcode} x{count}" for opcode, count in sorted(fact.notable.items())) or "-",
    )
    if not fact.loops:
        return [fixed + ("-",) * (len(_HEADINGS) - len(fixed))]
    return [fixed + _loop_cells(loop) for loop in fact.loops]


def _loop_cells(loop: LoopFacts) -> tuple[str, ...]:
    pipes = " ".join(
        f"{pipe} {value:.2f}" for pipe, value in loop.per_weight.items() if pipe != "TOTAL"
    )
    return (
        loop.shape or "-",
        f"{loop.share:.0%}" if loop.share is not None else "-",
        f"{loop.per_weight['TOTAL']:.2f}",
        pipes,
        f"{loop.bytes_in_flight / 1024:.0f}",
        f"{loop.limiter} {loop.bound:.2f}",
        f"{loop.bandwidth:.0%}",
        f"{loop.free_bandwidth:.0%}",
        f"{loop.tensor:.0%}" if loop.tensor else "-",
        f"{loop.tensor_share:.0%}" if loop.tensor else "-",
    )
