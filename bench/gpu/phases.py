"""Phases of a run: each in a process of its own, with a time budget; failures stop nothing else."""

from __future__ import annotations

import enum
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Sequence

# What a phase's process exits with when it cannot run here. Its last line says why.
EXIT_SKIPPED = 77


class Outcome(enum.Enum):
    PASSED = "passed"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Phase:
    """`budget` in seconds. A command that is empty is skipped for the reason given."""

    name: str
    command: Sequence[str]
    budget: float
    reason: str = ""
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    name: str
    outcome: Outcome
    seconds: float
    detail: str = ""

    @property
    def bad(self) -> bool:
        return self.outcome in (Outcome.FAILED, Outcome.TIMED_OUT)

    def line(self) -> str:
        return f"{self.outcome.value:9s}  {self.seconds:6.1f} s  {self.name}" + (
            f": {self.detail}" if self.detail else ""
        )


class Runner:
    """Runs phases one after the other. The whole ends within `limit` seconds."""

    def __init__(self, limit: float, logs: Path):
        self.deadline = time.monotonic() + limit
        self.logs = logs
        self.results: list[Result] = []
        logs.mkdir(parents=True, exist_ok=True)

    def run(self, phase: Phase) -> Result:
        result = self._run(phase)
        self.results.append(result)
        print(f"--- {result.line()}", flush=True)
        return result

    def _run(self, phase: Phase) -> Result:
        print(f"=== {phase.name}", flush=True)
        if not phase.command:
            return Result(phase.name, Outcome.SKIPPED, 0.0, phase.reason)
        budget = min(phase.budget, self.deadline - time.monotonic())
        if budget <= 0:
            return Result(phase.name, Outcome.TIMED_OUT, 0.0, "no time was left")
        start = time.monotonic()
        log = self.logs / f"{phase.name}.log"
        code = self._watch(phase, budget, log)
        seconds = time.monotonic() - start
        if code is None:
            detail = f"stopped after {budget:.0f} s; the output is in {log}"
            return Result(phase.name, Outcome.TIMED_OUT, seconds, detail)
        last = last_line(log)
        if code == EXIT_SKIPPED:
            return Result(phase.name, Outcome.SKIPPED, seconds, last)
        if code != 0:
            return Result(phase.name, Outcome.FAILED, seconds, f"exit code {code}: {last} ({log})")
        return Result(phase.name, Outcome.PASSED, seconds, last)

    @staticmethod
    def _watch(phase: Phase, budget: float, log: Path) -> int | None:
        """The exit code, or None when the process had to be stopped. Output goes to the log."""
        with log.open("w", encoding="utf-8") as output:
            try:
                process = subprocess.Popen(
                    list(phase.command),
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    stdin=subprocess.DEVNULL,
                    env={**os.environ, "PYTHONUNBUFFERED": "1", **phase.environment},
                    start_new_session=True,
                )
            except OSError as error:
                output.write(f"{phase.command[0]}: {error.strerror}\n")
                return 127
            code: int | None
            try:
                code = process.wait(timeout=budget)
            except subprocess.TimeoutExpired:
                # The whole process group: a build has children.
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                code = None
        sys.stdout.write(tail(log))
        sys.stdout.flush()
        return code

    def exit_code(self) -> int:
        return 1 if any(result.bad for result in self.results) else 0

    def summary(self) -> str:
        passed = sum(result.outcome is Outcome.PASSED for result in self.results)
        failed = sum(result.bad for result in self.results)
        skipped = sum(result.outcome is Outcome.SKIPPED for result in self.results)
        lines = [result.line() for result in self.results]
        return "\n".join([*lines, f"{passed} passed, {failed} failed, {skipped} skipped"])


def last_line(log: Path) -> str:
    lines = [line for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""


def tail(log: Path, lines: int = 40) -> str:
    """The end of a log, for the terminal."""
    content = log.read_text("utf-8", "replace").splitlines(keepends=True)
    omitted = len(content) - lines
    start = [f"… {omitted} lines before, in {log}\n"] if omitted > 0 else []
    return "".join([*start, *content[-lines:]])
