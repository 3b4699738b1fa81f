"""What one iteration of a main loop does: its weights and its bytes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Iterator, Mapping, Sequence

from budget import Load
from instruction import Instruction
from pipes import ARITHMETIC, access_bytes, base

# Loads that can bring the streamed operand, the most asynchronous first. A loop that has one kind
# streams by it.
_STREAMING = (("UBLKCP", "UTMALDG"), ("LDGSTS",), ("LDG", "LD"))
_BULK = _STREAMING[0]
_LOADS = tuple(name for kind in _STREAMING for name in kind)
# Work on data; address arithmetic goes by IMAD.
_WORK = tuple(pipe for pipe in ARITHMETIC if pipe != "IMAD")
_WAIT_GROUP = re.compile(r"DEPBAR\.LE\s+SB\d,\s*(0x[0-9a-f]+)")


@dataclass(frozen=True)
class Iteration:
    """One steady iteration of the main loop, as one warp sees it.

    `weights` are those that one lane handles, `memory_bytes` what the warp streams from and to memory
    for them, `shares` the part of it that each instruction stands for. A ring of `stages` buffers,
    filled by asynchronous copies, keeps that many iterations' loads under way. `looped`: it is
    repeated.
    """

    body: tuple[Instruction, ...]
    weights: float
    memory_bytes: float
    shares: tuple[float, ...]
    stages: int = 0
    looped: bool = True

    @staticmethod
    def of_total(
        body: tuple[Instruction, ...],
        weights: float,
        memory_bytes: float | None = None,
        stages: int = 0,
        looped: bool = True,
    ) -> "Iteration":
        """The traffic is spread over the instructions that stream, by their widths. Without a figure
        it is what plain loads and stores access."""
        kind = _streaming_kind(body)
        widths = [_width(i) if base(i.opcode) in kind and not i.never else 0 for i in body]
        if memory_bytes is None:
            memory_bytes = 32.0 * sum(
                width for i, width in zip(body, widths) if base(i.opcode) not in _BULK
            )
        total = max(1, sum(widths))
        shares = tuple(memory_bytes * width / total for width in widths)
        return Iteration(body, weights, memory_bytes, shares, _stages(body, stages), looped)

    @staticmethod
    def of_loads(
        body: tuple[Instruction, ...],
        weights: float,
        loads: Mapping[str, Load],
        stages: int = 0,
        looped: bool = True,
    ) -> "Iteration":
        """The budget says what is loaded; stores are what they are wide."""
        shares = [32.0 * access_bytes(i.opcode) if is_store(i) else 0.0 for i in body]
        for _, bytes_each, places in _groups(body, loads):
            total = sum(_width(body[k]) for k in places)
            for place in places:
                shares[place] = 32 * weights * bytes_each * _width(body[place]) / total
        return Iteration(body, weights, sum(shares), tuple(shares), _stages(body, stages), looped)

    def in_flight(self, resident_warps: int) -> float:
        """The most bytes that the resident warps of a multiprocessor have under way from memory by
        loads that were issued ahead of their use."""
        if self.stages == 0:
            return resident_warps * self._outstanding()
        # A cp.async ring waits for a stage before it refills it; a bulk ring refills the stage that
        # it has just read.
        ahead = self.stages - 1 if is_copied(self.body) else self.stages
        return resident_warps * sum(self._loaded()) / self.groups * ahead

    @cached_property
    def groups(self) -> int:
        """Stages of the ring that an iteration fills: an unrolled loop commits several."""
        return max(1, sum(i.opcode.startswith("LDGDEPBAR") for i in self.body))

    def _loaded(self) -> list[float]:
        """The shares of loads alone."""
        return [share if is_load(i) else 0.0 for i, share in zip(self.body, self.shares)]

    def _outstanding(self) -> float:
        """The most bytes of one warp's plain loads under way at once. A load counts if its wait comes
        in a later iteration, or behind arithmetic; what is awaited at once hides nothing."""
        spans = [(first, last, size) for first, last, size, ahead in self._spans() if ahead]
        return max(
            (sum(size for begin, end, size in spans if begin <= at < end) for at, _, _ in spans),
            default=0.0,
        )

    def _spans(self) -> Iterator[tuple[int, int, float, bool]]:
        """For each load: when it is issued, when it is awaited, its bytes, and whether it is ahead of
        its use. Three passes, so that the middle one sees what the first left under way."""
        passes = 3 if self.looped else 1
        pending: dict[int, list[tuple[int, float, int]]] = {}
        work = 0
        steps = list(zip(self.body, self._loaded())) * passes
        for at, (instruction, size) in enumerate(steps):
            for scoreboard in [s for s in pending if instruction.wait_mask >> s & 1]:
                for issued, waiting, before in pending.pop(scoreboard):
                    crossed = issued // len(self.body) != at // len(self.body)
                    yield issued, at, waiting, crossed or work > before or not self.looped
            work += instruction.pipe in _WORK
            if size:
                pending.setdefault(instruction.write_scoreboard, []).append((at, size, work))


def contradictions(
    body: Sequence[Instruction], loads: Mapping[str, Load], weights: float
) -> Iterator[tuple[str, float, float]]:
    """What is loaded otherwise than the budget says: opcode, bytes of a lane by the budget, and by the
    code. Bulk copies do not tell theirs."""
    for opcode, _, places in _groups(body, loads) if loads else ():
        stated = sum(
            load.bytes * load.lanes * weights for load in loads.values() if load.opcode == opcode
        )
        bulk = any(base(body[k].opcode) in _BULK for k in places)
        actual = sum(access_bytes(body[k].opcode) for k in places)
        if not bulk and abs(actual - stated) > 0.01 * max(stated, actual):
            yield opcode or "the other loads", stated, actual


def _groups(
    body: Sequence[Instruction], loads: Mapping[str, Load]
) -> Iterator[tuple[str, float, list[int]]]:
    """For each opcode that the budget names: memory bytes for each weight, and the loads' places in the
    body. The longest name that fits takes a load; "" takes the rest."""
    names = sorted({"", *(load.opcode for load in loads.values())}, key=len, reverse=True)
    places: dict[str, list[int]] = {name: [] for name in names}
    for k, instruction in enumerate(body):
        if is_load(instruction):
            places[next(name for name in names if instruction.opcode.startswith(name))].append(k)
    for name in names:
        memory = sum(
            load.bytes for load in loads.values() if load.opcode == name and not load.cached
        )
        yield name, memory, places[name]


def _stages(body: Sequence[Instruction], of_bulk_copies: int) -> int:
    """Of a ring. That of cp.async shows: its wait leaves all but two stages under way, the one that it
    is for and the one that is filled next."""
    left = [int(found[1], 16) for i in body if (found := _WAIT_GROUP.search(i.text))]
    return min(left) + 2 if left and is_copied(body) else of_bulk_copies


def is_copied(body: Sequence[Instruction]) -> bool:
    """Whether cp.async brings what the loop streams."""
    return any(base(i.opcode) == "LDGSTS" for i in body)


def is_load(instruction: Instruction) -> bool:
    return base(instruction.opcode) in _LOADS and not instruction.never


def is_store(instruction: Instruction) -> bool:
    return base(instruction.opcode) == "STG" and not instruction.never


def _streaming_kind(body: Sequence[Instruction]) -> tuple[str, ...]:
    """Opcodes that carry the streamed bytes: the most asynchronous loads, and stores."""
    present = {base(instruction.opcode) for instruction in body}
    for kind in _STREAMING:
        if present.intersection(kind):
            return kind + ("STG",) if kind != _BULK else kind
    return ("STG",)


def _width(instruction: Instruction) -> int:
    return 1 if base(instruction.opcode) in _BULK else access_bytes(instruction.opcode)
