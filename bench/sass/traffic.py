"""What one iteration of a main loop does: its weights and its bytes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Sequence

from instruction import Instruction
from pipes import access_bytes, base

# Loads that can bring the streamed operand, the most asynchronous first. A loop that has one kind
# streams by it.
_STREAMING = (("UBLKCP", "UTMALDG"), ("LDGSTS",), ("LDG", "LD"))
_BULK = _STREAMING[0]


@dataclass(frozen=True)
class Iteration:
    """One steady iteration of the main loop, as one warp sees it.

    `weights` are those that one lane handles, `memory_bytes` what the warp streams from and to
    memory for them. A ring of `stages` buffers keeps that many iterations' loads under way.
    """

    body: tuple[Instruction, ...]
    weights: float
    memory_bytes: float
    stages: int = 0

    @cached_property
    def shares(self) -> tuple[float, ...]:
        """For each instruction of the body, the bytes of memory traffic that it stands for."""
        kind = traffic_kind(self.body)
        widths = [_width(i) if base(i.opcode) in kind else 0 for i in self.body]
        total = sum(widths)
        return tuple(self.memory_bytes * width / total if width else 0.0 for width in widths)

    def in_flight(self, resident_warps: int) -> float:
        """The most bytes that the resident warps of a multiprocessor keep on their way from
        memory."""
        if self.stages == 0:
            return resident_warps * self._outstanding()
        # A cp.async ring waits for a stage before it refills it; a bulk ring refills the stage that
        # it has just read.
        asynchronous = any(base(i.opcode) == "LDGSTS" for i in self.body)
        ahead = self.stages - 1 if asynchronous else self.stages
        return resident_warps * sum(self._loaded()) * ahead

    def _loaded(self) -> list[float]:
        """The same for loads alone."""
        return [share if _is_load(i) else 0.0 for i, share in zip(self.body, self.shares)]

    def _outstanding(self) -> float:
        """The most bytes of one warp's plain loads that were requested and not yet waited for."""
        pending: dict[int, float] = {}
        most = 0.0
        # The second pass sees the loads that the first left under way.
        for instruction, size in list(zip(self.body, self._loaded())) * 2:
            for scoreboard in [s for s in pending if instruction.wait_mask >> s & 1]:
                del pending[scoreboard]
            if size:
                scoreboard = instruction.write_scoreboard
                pending[scoreboard] = pending.get(scoreboard, 0.0) + size
                most = max(most, sum(pending.values()))
        return most


def traffic_kind(body: Sequence[Instruction]) -> tuple[str, ...]:
    """Opcodes that carry the streamed bytes: the most asynchronous loads, and stores."""
    present = {base(instruction.opcode) for instruction in body}
    for kind in _STREAMING:
        if present.intersection(kind):
            return kind + ("STG",) if kind != _BULK else kind
    return ("STG",)


def counted_bytes(body: Sequence[Instruction]) -> float:
    """Bytes that a warp's plain loads and stores of global memory access in the body; bulk copies
    do not tell theirs."""
    kind = traffic_kind(body)
    return sum(
        32 * access_bytes(i.opcode)
        for i in body
        if base(i.opcode) in kind and base(i.opcode) not in _BULK and not i.never
    )


def _is_load(instruction: Instruction) -> bool:
    return any(base(instruction.opcode) in kind for kind in _STREAMING) and not instruction.never


def _width(instruction: Instruction) -> int:
    return 1 if base(instruction.opcode) in _BULK else access_bytes(instruction.opcode)
