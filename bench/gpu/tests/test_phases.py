"""The runner: time budgets, failures that do not stop the rest, exit codes."""

from __future__ import annotations

import io
import sys
import tempfile
import time
import unittest
from contextlib import redirect_stdout
from pathlib import Path

from phases import EXIT_SKIPPED, Outcome, Phase, Result, Runner


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


class Phases(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.logs = Path(folder.name) / "logs"

    def run_all(self, *phases: Phase, limit: float = 60) -> tuple[Runner, str]:
        runner = Runner(limit, self.logs)
        output = io.StringIO()
        with redirect_stdout(output):
            for phase in phases:
                runner.run(phase)
        return runner, output.getvalue()

    def test_a_phase_passes_with_its_last_line(self) -> None:
        runner, output = self.run_all(Phase("good", python("print('one'); print('two')"), 30))
        self.assertEqual(
            (Outcome.PASSED, "two"), (runner.results[0].outcome, runner.results[0].detail)
        )
        self.assertEqual(0, runner.exit_code())
        self.assertIn("one\ntwo", output)

    def test_a_failure_does_not_stop_the_rest(self) -> None:
        bad = Phase("bad", python("raise SystemExit('broken')"), 30)
        runner, _ = self.run_all(bad, Phase("good", python("pass"), 30))
        self.assertEqual([Outcome.FAILED, Outcome.PASSED], [r.outcome for r in runner.results])
        self.assertIn("broken", runner.results[0].detail)
        self.assertEqual(1, runner.exit_code())
        self.assertTrue(runner.summary().endswith("1 passed, 1 failed, 0 skipped"))

    def test_a_phase_that_hangs_is_stopped_with_its_children(self) -> None:
        mark = self.logs.parent / "mark"
        child = f"import time; time.sleep(2); open({str(mark)!r}, 'w')"
        code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
        runner, _ = self.run_all(
            Phase("hangs", python(code), 0.5), Phase("good", python("pass"), 30)
        )
        self.assertEqual([Outcome.TIMED_OUT, Outcome.PASSED], [r.outcome for r in runner.results])
        time.sleep(2.5)
        self.assertFalse(mark.exists())

    def test_the_whole_has_a_limit(self) -> None:
        sleeping = Phase("long", python("import time; time.sleep(30)"), 30)
        runner, _ = self.run_all(sleeping, Phase("late", python("pass"), 30), limit=0.5)
        self.assertEqual([Outcome.TIMED_OUT] * 2, [r.outcome for r in runner.results])
        self.assertEqual("no time was left", runner.results[1].detail)

    def test_skipped_is_not_passed(self) -> None:
        code = f"print('no compute-sanitizer'); raise SystemExit({EXIT_SKIPPED})"
        runner, _ = self.run_all(Phase("a", python(code), 30), Phase("b", [], 30, reason="no GPU"))
        self.assertEqual([Outcome.SKIPPED] * 2, [r.outcome for r in runner.results])
        self.assertEqual(["no compute-sanitizer", "no GPU"], [r.detail for r in runner.results])
        self.assertTrue(runner.summary().endswith("0 passed, 0 failed, 2 skipped"))

    def test_a_missing_program_is_a_failure(self) -> None:
        runner, _ = self.run_all(Phase("gone", ["/nowhere/program"], 30))
        self.assertEqual(Outcome.FAILED, runner.results[0].outcome)
        self.assertIn("No such file", runner.results[0].detail)

    def test_lines(self) -> None:
        self.assertEqual(
            "timed out     1.0 s  x: y", Result("x", Outcome.TIMED_OUT, 1.0, "y").line()
        )
