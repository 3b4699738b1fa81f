"""The command's own rules: budgets, and what a device leaves out."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import unittest
from pathlib import Path

from timing import HostClock, Work, alternate

_PATH = Path(__file__).resolve().parents[1] / "run"


def load_run():
    loader = importlib.machinery.SourceFileLoader("run_command", str(_PATH))
    spec = importlib.util.spec_from_loader("run_command", loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


class Run(unittest.TestCase):
    def test_the_whole_ends_within_nine_minutes(self) -> None:
        run = load_run()
        self.assertLessEqual(sum(run._BUDGETS.values()), run._WHOLE)
        self.assertLess(run._WHOLE, 9 * 60)

    def test_each_part_has_a_budget(self) -> None:
        run = load_run()
        for device in ("cuda", "emulated", "cpu"):
            names = [phase.name for phase in run._phases(device, Path("lib.so"))]
            self.assertEqual(list(run._BUDGETS)[:-1], names)

    def test_without_a_gpu_parts_say_why_they_are_left_out(self) -> None:
        for phase in load_run()._phases("emulated", Path("lib.so")):
            self.assertTrue(bool(phase.command) != bool(phase.reason), phase.name)


class _Still:
    def synchronize(self) -> None:
        pass


class Timing(unittest.TestCase):
    def test_subjects_alternate(self) -> None:
        order: list[str] = []
        works = [Work(name, 2, lambda name=name: order.append(name)) for name in "ab"]
        timings = alternate(HostClock(_Still()), works, 3)
        self.assertEqual(list("ab" "ab" "ba" "ab"), order)
        self.assertTrue(all(t.low <= t.median <= t.high for t in timings))
