"""Holds kernels against their budgets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterator, Sequence

from budget import Entry
from cubin import Kernel
from facts import Facts, facts_of


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
    kernels: Sequence[Kernel], entries: Sequence[Entry]
) -> tuple[list[Facts], list[Violation]]:
    """The facts of all kernels, and all that exceeds a budget.

    A kernel without a budget and a budget without a kernel are violations too, so that a renamed
    kernel does not escape.
    """
    facts: list[Facts] = []
    violations: list[Violation] = []
    used: set[int] = set()
    for kernel in kernels:
        matching = [k for k, entry in enumerate(entries) if entry.matches(kernel.name)]
        used.update(matching)
        entry = entries[matching[0]] if matching else None
        known = facts_of(kernel, entry)
        facts.append(known)
        if len(matching) != 1:
            found = ", ".join(entries[k].pattern for k in matching) or "none"
            violations.append(
                Violation(kernel.name, kernel.architecture, "budget entries", "1", found)
            )
        if entry is not None:
            violations += check(known, entry)
    for k, entry in enumerate(entries):
        if k not in used:
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

    for what, actual in _most(facts).items():
        if what in limits and actual > limits[what]:
            yield violation(what, f"{limits[what]}", f"{actual}")
    for what, actual in _least(facts).items():
        if what in limits and (actual is None or actual < limits[what]):
            yield violation(
                what, f"{limits[what]}", "unknown" if actual is None else f"{actual:.3f}"
            )
    yield from _opcodes(facts, limits, violation)
    if entry.loops and facts.loop is None:
        yield violation("main loop", "one with weights", "not found")
    for pipe, limit in limits.get("per_weight", {}).items():
        # A kernel without the loop was reported above.
        actual = facts.loop.per_weight.get(pipe, 0.0) if facts.loop else 0.0
        if actual > limit + 1e-9:
            yield violation(f"{pipe} instructions per weight", f"{limit:.3f}", f"{actual:.3f}")


def _most(facts: Facts) -> dict[str, int]:
    return {
        "registers": facts.registers,
        "spills": facts.spills,
        "stack": facts.stack_bytes,
        "static_shared": facts.static_shared,
    }


def _least(facts: Facts) -> dict[str, float | None]:
    loop = facts.loop
    return {
        "min_occupancy": facts.occupancy.fraction if facts.occupancy else None,
        "min_bytes_in_flight": loop.bytes_in_flight if loop else None,
        "min_bandwidth": loop.bandwidth if loop else None,
        "min_free_bandwidth": loop.free_bandwidth if loop else None,
        "min_tensor": loop.tensor if loop else None,
    }


def _opcodes(facts: Facts, limits: dict[str, Any], violation: Any) -> Iterator[Violation]:
    for wanted in limits.get("must", []):
        if not any(opcode.startswith(wanted) for opcode in facts.opcodes):
            yield violation(f"opcode {wanted}", "present", "absent")
    for unwanted in limits.get("must_not", []):
        found = [opcode for opcode in facts.opcodes if opcode.startswith(unwanted)]
        if found:
            yield violation(f"opcode {unwanted}", "absent", ", ".join(sorted(found)))
