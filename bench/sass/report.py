#!/usr/bin/env python3
"""What the compiler made of the kernels, and what it predicts; no GPU is needed.

    bench/sass/report.py artifacts/native/linux-x64-Release/liblorakernels.so

Reads the machine code of cubins, object files or a shared library, reports every kernel for every
architecture, and fails when a budget (native/src/*/cuda/budget.json) is exceeded.
"""

from __future__ import annotations

import argparse
import re
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import budget
import cubin
import table
from flow import main_loop, straight_line
from judge import judge
from toolkit import Toolkit, ToolkitError

_ROOT = Path(__file__).resolve().parents[2]
_BUDGETS = "native/src/**/cuda/budget.json"


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0: within budget; 1: not; 2: nothing could be judged."""
    options = _parse(arguments)
    with ProcessPoolExecutor() as pool:
        return _run(options, pool.map)


def _run(options: argparse.Namespace, each: cubin.Mapper) -> int:
    try:
        toolkit = Toolkit.find(options.toolkit)
        files = [Path(path) for path in options.file]
        kernels = [kernel for path in files for kernel in cubin.load(path, toolkit, each)]
        entries = [entry for path in _budget_files(options.budget) for entry in budget.read(path)]
        compiler = toolkit.version()
    except (ToolkitError, budget.BudgetError) as error:
        print(error, file=sys.stderr)
        return 2
    if options.dump is not None:
        _dump([kernel for kernel in kernels if re.search(options.dump, kernel.name)])
        return 0
    if not kernels:
        print("no kernel in " + ", ".join(options.file), file=sys.stderr)
        return 2
    facts, violations = judge(kernels, entries, each)
    if options.json:
        print(table.as_json(facts, violations, compiler), end="")
    else:
        print(table.text(facts), end="")
    if options.markdown is not None:
        Path(options.markdown).parent.mkdir(parents=True, exist_ok=True)
        Path(options.markdown).write_text(table.markdown(facts, compiler), encoding="utf-8")
    for violation in violations:
        print(f"BUDGET EXCEEDED  {violation}", file=sys.stderr)
    # As every runner of the project closes.
    print(f"{len(facts)} kernels, {len(violations)} violations", file=sys.stderr)
    return 1 if violations else 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("file", nargs="+", help="cubin, fatbin, object file or shared library")
    parser.add_argument(
        "--budget",
        action="append",
        metavar="FILE",
        help=f"budget file, may be repeated (default: {_BUDGETS})",
    )
    parser.add_argument(
        "--toolkit",
        metavar="FOLDER",
        help="CUDA toolkit (default: CUDA_HOME, CUDA_PATH, PATH, the usual places)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--markdown", metavar="FILE", help="write a Markdown page too")
    parser.add_argument(
        "--dump",
        metavar="REGEX",
        help="print the main loops of the kernels with such names, and nothing else",
    )
    return parser.parse_args(arguments)


def _budget_files(given: list[str] | None) -> list[Path]:
    return [Path(path) for path in given] if given else sorted(_ROOT.glob(_BUDGETS))


def _dump(kernels: list[cubin.Kernel]) -> None:
    """For whoever tunes a kernel: the main loop with stalls, scoreboards and pipes."""
    for kernel in kernels:
        print(f"{kernel.name} [{kernel.architecture}]")
        for i in main_loop(kernel.instructions) or straight_line(kernel.instructions):
            print(
                f"  {i.address:05x} stall {i.stall:2d} wait {i.wait_mask:06b} "
                f"write {i.write_scoreboard} read {i.read_scoreboard} {i.pipe:7s} {i.text}"
            )


if __name__ == "__main__":
    sys.exit(main())
