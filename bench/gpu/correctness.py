"""Every operation of the library against float64, through the C ABI.

Prints a line for each case and closes with "N passed, N failed".
"""

from __future__ import annotations

import argparse
import sys
import traceback
from itertools import chain

import invariance
from abi import DeviceKind
from checks import LARGE, SMALL, Checks
from lorakernels import Context, Library
from reference import Plain, best


def run(library: Library, kind: DeviceKind, large: bool) -> int:
    """Runs all cases; the number of failures. Large shapes need torch."""
    reference, with_torch = best() if large else (Plain(), False)
    shapes = SMALL + LARGE if with_torch else SMALL
    passed = failed = 0
    with Context(library, kind) as context, Context(
        library, kind, batch_invariant=True
    ) as invariant:
        info = context.describe()
        print(
            f"{info.name.decode()}, {info.isa.decode()}; reference in float64 by "
            f"{'torch' if with_torch else 'Python, small shapes only'}"
        )
        plain = Checks(context, reference, shapes)
        rows = invariance.cases(Checks(invariant, reference, shapes))
        for name, case, limit in chain(plain.cases(), rows):
            try:
                error = case()
                ok = error <= limit
                detail = f"error {error:.1e}, limit {limit:.0e}"
            except Exception as failure:  # a case that breaks must not hide the others
                ok = False
                detail = "".join(traceback.format_exception_only(failure)).strip()
            passed += ok
            failed += not ok
            print(f"{'ok  ' if ok else 'FAIL'}  {name}: {detail}")
    if library.live_handles:
        failed += 1
        print(f"FAIL  {library.live_handles} handles were not destroyed")
    print(f"{passed} passed, {failed} failed")
    return failed


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("library")
    parser.add_argument(
        "--device", choices=[kind.name.lower() for kind in DeviceKind], required=True
    )
    parser.add_argument("--large", action="store_true", help="large shapes too, if torch is here")
    options = parser.parse_args(arguments)
    return (
        1 if run(Library(options.library), DeviceKind[options.device.upper()], options.large) else 0
    )


if __name__ == "__main__":
    sys.exit(main())
