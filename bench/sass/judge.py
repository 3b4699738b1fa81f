"""Holds kernels against their budgets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterator, Sequence

from budget import Entry
from cubin import Kernel, Mapper
from facts import Facts, LoopFacts, facts_of


@dataclass(frozen=True)
class Violation:
    """`what` was to be at most or at least `limit` and is `actual`."""

    kernel: str
    architecture: str
    what: str
    limit: str
    actual: str

    def __str__(self) -> str:
        where = f"{self.kernel} [{self.architecture}]" if self.architecture else self.kernel
        return f"{where}: {self.what}: limit {self.limit}, actual {self.actual}"


def judge(
    kernels: Sequence[Kernel], entries: Sequence[Entry], each: Mapper = map
) -> tuple[list[Facts], list[Violation]]:
    """The facts of all kernels, and all that exceeds a budget.

    A kernel without a budget and a budget without a kernel are violations too, so that a renamed
    kernel does not escape.
    """
    matching = [[entry for entry in entries if entry.matches(k.name)] for k in kernels]
    first = [found[0] if found else None for found in matching]
    facts = list(each(facts_of, kernels, first))
    violations: list[Violation] = []
    for known, entry, found in zip(facts, first, matching, strict=True):
        if len(found) != 1:
            patterns = ", ".join(other.pattern for other in found) or "none"
            violations.append(
                Violation(known.name, known.architecture, "budget entries", "1", patterns)
            )
        if entry is not None:
            violations += check(known, entry)
    used = {id(entry) for found in matching for entry in found}
    for entry in entries:
        if id(entry) not in used:
            violations.append(
                Violation(
                    entry.pattern,
                    "",
                    f"kernels of this budget in {entry.source}",
                    "at least 1",
                    "none",
                )
            )
    return facts, violations


def check(facts: Facts, entry: Entry) -> Iterator[Violation]:
    """What of the entry's limits the kernel does not keep."""
    limits = entry.limits_for(facts.architecture)

    def violation(what: str, limit: str, actual: str) -> Violation:
        return Violation(facts.name, facts.architecture, what, limit, actual)

    for what, most in _most(facts).items():
        if what in limits and most > limits[what]:
            yield violation(what, f"{limits[what]}", f"{most}")
    least = facts.occupancy.fraction if facts.occupancy else None
    if "min_occupancy" in limits and (least is None or least < limits["min_occupancy"]):
        yield violation("min_occupancy", f"{limits['min_occupancy']}", _figure(least))
    yield from _opcodes(facts, limits, violation)
    loops = entry.loops_for(facts.architecture)
    if loops and len(facts.loops) < len(entry.launch.shapes):
        # Not found, or shared memory that the multiprocessor does not have.
        yield violation(
            "main loop with weights, launched",
            f"{len(entry.launch.shapes)} times",
            f"{len(facts.loops)}",
        )
    for loop in facts.loops:
        where = f" at {loop.shape}" if loop.shape else ""
        for what, limit, actual in _check_loop(loop, limits):
            yield violation(what + where, limit, actual)


def _check_loop(loop: LoopFacts, limits: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    yield from loop.false_claims
    for what, least in _least(loop).items():
        if what in limits and (least is None or least < limits[what]):
            yield what, f"{limits[what]}", _figure(least)
    for pipe, limit in limits.get("per_weight", {}).items():
        actual = loop.per_weight.get(pipe, 0.0)
        if actual > limit + 1e-9:
            yield f"{pipe} instructions per weight", f"{limit:.3f}", f"{actual:.3f}"


def _figure(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"


def _most(facts: Facts) -> dict[str, int]:
    return {
        "registers": facts.registers,
        "spills": facts.spills,
        "stack": facts.stack_bytes,
        "static_shared": facts.static_shared,
    }


def _least(loop: LoopFacts) -> dict[str, float | None]:
    return {
        "min_share": loop.share,
        "min_bytes_in_flight": loop.bytes_in_flight,
        "min_bandwidth": loop.bandwidth,
        "min_free_bandwidth": loop.free_bandwidth,
        "min_tensor": loop.tensor,
        "min_tensor_share": loop.tensor_share,
    }


def _opcodes(facts: Facts, limits: dict[str, Any], violation: Any) -> Iterator[Violation]:
    for wanted in limits.get("must", []):
        if not any(opcode.startswith(wanted) for opcode in facts.opcodes):
            yield violation(f"opcode {wanted}", "present", "absent")
    for unwanted in limits.get("must_not", []):
        found = [opcode for opcode in facts.opcodes if opcode.startswith(unwanted)]
        if found:
            yield violation(f"opcode {unwanted}", "absent", ", ".join(sorted(found)))
