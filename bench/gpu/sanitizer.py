"""compute-sanitizer: memcheck over the operations, racecheck over the conformance tests.

Some virtual machines do not let it see the device: that is told, and neither success nor failure.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from phases import EXIT_SKIPPED

_FOUND = 86
_REFUSALS = ("Device not supported", "Unable to find any CUDA", "Failed to initialize")


def sanitize(tool: str, command: list[str]) -> int | None:
    """The program's exit code under the tool, _FOUND for findings, None where it does not work."""
    done = subprocess.run(
        [
            _program(),
            "--tool",
            tool,
            "--error-exitcode",
            str(_FOUND),
            "--print-limit",
            "20",
            *command,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    output = done.stdout + done.stderr
    print(f"compute-sanitizer {tool}: exit code {done.returncode}")
    print("\n".join(output.splitlines()[-15:]))
    return None if any(refusal in output for refusal in _REFUSALS) else done.returncode


def _program() -> str:
    homes = [os.environ.get(name, "") for name in ("CUDA_HOME", "CUDA_PATH")] + ["/usr/local/cuda"]
    candidates = [str(Path(home) / "bin" / "compute-sanitizer") for home in homes if home]
    return shutil.which("compute-sanitizer") or next(
        (path for path in candidates if os.access(path, os.X_OK)), ""
    )


def main(arguments: list[str]) -> int:
    """CONFORMANCE -- CHECK…"""
    conformance, check = arguments[0], arguments[2:]
    if not _program():
        print("compute-sanitizer is not installed")
        return EXIT_SKIPPED
    codes = [sanitize("memcheck", check), sanitize("racecheck", [conformance])]
    if None in codes:
        print("compute-sanitizer does not work on this machine")
        return EXIT_SKIPPED
    print(f"{codes.count(0)} passed, {len(codes) - codes.count(0)} failed")
    return 0 if codes == [0, 0] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
