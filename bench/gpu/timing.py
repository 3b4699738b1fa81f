"""How long work on a device takes."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import Any, Callable, Protocol, Sequence

from lorakernels import Context


@dataclass(frozen=True)
class Work:
    """`enqueue` starts `calls` calls of one subject; nothing of it waits."""

    subject: str
    calls: int
    enqueue: Callable[[], None]
    # What a graph uses by address.
    kept: Any = None


class Clock(Protocol):
    def time(self, enqueue: Callable[[], None]) -> float:
        """Seconds from the start of the enqueued work to its end."""


class HostClock:
    """Wall clock: for devices that have no timer of their own."""

    def __init__(self, *contexts: Context):
        self._contexts = contexts

    def time(self, enqueue: Callable[[], None]) -> float:
        self._synchronize()
        start = time.perf_counter()
        enqueue()
        self._synchronize()
        return time.perf_counter() - start

    def _synchronize(self) -> None:
        for context in self._contexts:
            context.synchronize()


class EventClock:
    """CUDA events on the stream that the work is enqueued on."""

    def __init__(self, torch: Any, stream: Any):
        self._torch = torch
        self._stream = stream

    def time(self, enqueue: Callable[[], None]) -> float:
        start = self._torch.cuda.Event(enable_timing=True)
        end = self._torch.cuda.Event(enable_timing=True)
        self._stream.synchronize()
        with self._torch.cuda.stream(self._stream):
            start.record()
            enqueue()
            end.record()
        end.synchronize()
        return start.elapsed_time(end) * 1e-3


@dataclass(frozen=True)
class Timing:
    """Seconds for one call."""

    median: float
    low: float
    high: float


def alternate(clock: Clock, works: Sequence[Work], rounds: int) -> list[Timing]:
    """Times all subjects in turn, round by round, so that none has the warmer machine."""
    for work in works:
        clock.time(work.enqueue)
    seconds: list[list[float]] = [[] for _ in works]
    for turn in range(rounds):
        for position in range(len(works)):
            chosen = (position + turn) % len(works)
            work = works[chosen]
            seconds[chosen].append(clock.time(work.enqueue) / work.calls)
    return [Timing(statistics.median(each), min(each), max(each)) for each in seconds]
