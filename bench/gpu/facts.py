"""On what a benchmark ran."""

from __future__ import annotations

import datetime
import subprocess
from pathlib import Path
from typing import Any

from lorakernels import Context, Library

_ROOT = Path(__file__).resolve().parents[2]


def collect(library: Library, context: Context, torch: Any) -> dict[str, str]:
    info = context.describe()
    facts = {
        "device": info.name.decode(),
        "architecture": info.isa.decode(),
        "date": datetime.date.today().isoformat(),
        "commit": commit(),
        "library": f"{library.version}, {library.build_info}",
    }
    if torch is not None:
        facts["torch"] = f"{torch.__version__}, CUDA {torch.version.cuda}"
        facts["driver"] = _output(
            "nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"
        )
    return facts


def commit() -> str:
    """The commit that was measured; "-dirty" when files differ from it."""
    name = _output("git", "-C", str(_ROOT), "rev-parse", "--short=12", "HEAD")
    changed = _output("git", "-C", str(_ROOT), "status", "--porcelain", "--untracked-files=no")
    return f"{name}-dirty" if changed not in ("", "unknown") else name


def _output(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip()
