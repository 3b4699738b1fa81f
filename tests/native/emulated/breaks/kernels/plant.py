#!/usr/bin/env python3
"""Plants bugs into the library's own kernels and the memory under them, one at a time, and sees whether the tests on
the emulated device notice.

    plant.py BUILD                 all of them
    plant.py BUILD decode lora     those of some kernels
    plant.py BUILD --part 3        a share of them: another one with every number, all of them after a few
    plant.py BUILD --write FILE    all of them, and a table of what caught each

BUILD is a build folder whose target emulated_tests is up to date. A bug is a short piece of a kernel's source and what
stands in its place. The piece must be in its file exactly once: where it is not, the kernel has changed, and the bug
has to be planted anew. One unit is compiled with the changed source, and linked in place of the right one; the rest of
the tests is as it is. The tests have to fail, by a finding of the emulated device or by wrong values, and pass without
the bug.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import batch
import decode
import dequantize
import lora
import memory
import packing
import plain
import quantize
from bugs import Bug

KERNELS = (decode, batch, plain, lora, packing, dequantize, quantize, memory)
PARTS = 8
SOURCES = Path(__file__).resolve().parents[5] / "native" / "src"
TEST_SECONDS = 120
# How a finding of the emulated device begins.
FINDING = re.compile(
    r"\b(race|uninitialised read|in-flight read|in-flight overwrite|out of bounds|misaligned|divergence|dead-lock|"
    r"wrong mask|missing commit|missing wait|shuffle|wgmma|mbarrier|proxy|programmatic launch|foreign memory|unmapped): "
)


class Gone(Exception):
    """A bug's place is not in the source."""


@dataclass(frozen=True)
class Outcome:
    bug: Bug
    caught_by: str  # the rule that was broken, "values", or "" where nothing was noticed
    seconds: float


def place_of(text, piece):
    """Where the piece is, however its lines are broken."""
    pattern = r"\s+".join(re.escape(word) for word in piece.split())
    found = list(re.finditer(pattern, text))
    if len(found) != 1:
        raise Gone(f"{len(found)} times instead of once in the source:\n{piece}")
    return found[0].span()


def planted(text, bug):
    first, end = place_of(text, bug.piece)
    return text[:first] + bug.instead + text[end:]


class Build:
    """What plants and runs bugs in a build folder."""

    def __init__(self, folder):
        self.folder = Path(folder).resolve()
        self.scratch = self.folder / "breaks"
        description = json.loads((self.folder / "emulated_tests.json").read_text())
        self.compiler = description["compiler"]
        self.program = description["program"]
        self.objects = [part for part in description["objects"] if part]
        self.libraries = description["libraries"]
        commands = json.loads((self.folder / "compile_commands.json").read_text())
        self.units = {Path(command["file"]): command for command in commands if command["file"].endswith((".cu", ".cpp"))}

    def compile(self, bug, scratch):
        source = SOURCES / bug.file
        copy = scratch / bug.file
        copy.parent.mkdir(parents=True)
        copy.write_text(planted(source.read_text(), bug))
        unit = SOURCES / bug.unit
        command = self.units[unit]
        words = shlex.split(command["command"])
        right = words[words.index("-o") + 1]
        wrong = scratch / "unit.o"
        words[words.index("-o") + 1] = str(wrong)
        compiled = copy if bug.file == bug.unit else unit
        if bug.instance:
            compiled = scratch / "instance.cu"
            compiled.write_text(bug.instance)
        words[words.index("-c") + 1] = str(compiled)
        # Headers are looked up there first. A bug may leave something unused behind.
        words[1:1] = [f"-I{scratch}"]
        words += ["-O1", "-g0", "-w"]
        run(words, Path(command["directory"]))
        return str((Path(command["directory"]) / right).resolve()), str(wrong)

    def link(self, right, wrong, program):
        objects = [wrong if os.path.realpath(part) == right else part for part in self.objects]
        if wrong not in objects:
            raise Gone(f"{right} is not an object of emulated_tests")
        listed = program.with_suffix(".objects")
        listed.write_text("\n".join(objects))
        run(
            [self.compiler, "-Wl,-S", "-o", str(program), f"@{listed}", *self.libraries, "-lpthread", "-ldl"],
            self.folder,
        )

    def try_bug(self, bug):
        start = time.monotonic()
        scratch = self.scratch / re.sub(r"\W+", "_", f"{bug.kernel} {bug.description}")[:100]
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        try:
            program = scratch / "tests"
            self.link(*self.compile(bug, scratch), program)
            caught_by = run_tests(program, bug.tests)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        return Outcome(bug, caught_by, time.monotonic() - start)


def run(command, folder):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{shlex.join(command)[:2000]}\n{done.stderr[-4000:]}")


def run_tests(program, tests):
    """What the tests failed by; nothing where they passed."""
    command = [str(program), f"--gtest_filter={tests}", "--gtest_brief=1", "--gtest_fail_fast"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TEST_SECONDS)
    except subprocess.TimeoutExpired:
        return "no end"
    output = done.stdout + done.stderr
    if done.returncode == 0:
        if "[  PASSED  ] 0 tests" in output:
            raise SystemExit(f"no test has a name like {tests}")
        return ""
    finding = FINDING.search(output)
    if finding:
        return finding.group(1)
    return "values" if "[  FAILED  ]" in output else f"signal {-done.returncode}"


def share(bugs, part):
    return bugs if part is None else [bug for i, bug in enumerate(bugs) if i % PARTS == part % PARTS]


def table(outcomes):
    lines = [
        "# Bugs planted into the library's kernels, and what caught them",
        "",
        "Written by `plant.py BUILD --write`. A bug counts as caught when the tests named fail: by a finding of the",
        "emulated device, or by values that are not those expected.",
        "",
        "| kernel | bug | in | caught by | tests |",
        "|---|---|---|---|---|",
    ]
    for outcome in outcomes:
        bug = outcome.bug
        lines.append(
            f"| {bug.kernel} | {bug.description} | `{bug.file}` | {outcome.caught_by or '**nothing**'} "
            f"| `{bug.tests}` |"
        )
    caught = [outcome for outcome in outcomes if outcome.caught_by]
    by_values = sum(outcome.caught_by == "values" for outcome in caught)
    lines += [
        "",
        f"{len(outcomes)} bugs: {len(caught)} caught, {len(caught) - by_values} by findings, {by_values} by "
        f"values; {len(outcomes) - len(caught)} not.",
    ]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("kernels", nargs="*", help="their names; all")
    parser.add_argument("--part", type=int, help="the share whose number this is, modulo %d" % PARTS)
    parser.add_argument("--match", default="", help="bugs whose description has this")
    parser.add_argument("--write", help="where the table goes")
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args()

    names = [module.__name__ for module in KERNELS]
    for name in arguments.kernels:
        if name not in names:
            parser.error(f"no kernel {name}: {', '.join(names)}")
    bugs = [
        bug
        for module in KERNELS
        if not arguments.kernels or module.__name__ in arguments.kernels
        for bug in module.BUGS
        if arguments.match in bug.description
    ]
    # A place that is gone is told at once, whatever the share.
    gone = []
    for bug in bugs:
        try:
            planted((SOURCES / bug.file).read_text(), bug)
        except Gone as reason:
            gone.append(f"{bug.kernel}, {bug.description}: {bug.file} has the place {reason}")
    if gone:
        raise SystemExit("\n".join(gone))

    build = Build(arguments.build)
    bugs = share(bugs, arguments.part)
    tests = ":".join(sorted({bug.tests for bug in bugs}))
    caught_by = run_tests(build.program, tests)
    if caught_by:
        raise SystemExit(f"without any bug, of {tests} some fail: {caught_by}")

    outcomes = []
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for outcome in pool.map(build.try_bug, bugs):
            outcomes.append(outcome)
            print(
                f"{outcome.bug.kernel}: {outcome.bug.description}: {outcome.caught_by or 'NOT CAUGHT'} "
                f"({outcome.seconds:.1f} s)",
                flush=True,
            )
    if arguments.write:
        Path(arguments.write).write_text(table(outcomes))
    missed = sum(not outcome.caught_by or outcome.caught_by == "no end" for outcome in outcomes)
    print(f"{len(outcomes) - missed} passed, {missed} failed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
