"""Where the CUDA toolkit's command line tools are, and how they are called."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path


class ToolkitError(Exception):
    """A tool that is missing or that refused its input."""


class Toolkit:
    """The programs of one CUDA toolkit: cuobjdump, cu++filt and, where it is installed, nvcc."""

    def __init__(self, folder: Path):
        self.folder = folder

    @staticmethod
    def find(folder: str | None = None) -> "Toolkit":
        """The toolkit in `folder`, else of CUDA_HOME or CUDA_PATH, else on PATH, else in the usual
        places: that of native/build/fetch-cuda and NVIDIA's own."""
        if folder is not None:
            candidates = [Path(folder)]
        else:
            candidates = [
                Path(os.environ[name])
                for name in ("CUDA_HOME", "CUDA_PATH")
                if os.environ.get(name)
            ]
            on_path = shutil.which("cuobjdump")
            if on_path is not None:
                candidates.append(Path(on_path).resolve().parent.parent)
            cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
            candidates.append(Path(cache) / "lorakernels" / "cuda")
            candidates.append(Path("/usr/local/cuda"))
        for candidate in candidates:
            if (candidate / "bin" / "cuobjdump").is_file():
                return Toolkit(candidate)
        looked_in = ", ".join(str(candidate) for candidate in candidates)
        raise ToolkitError(f"no cuobjdump in the bin folder of {looked_in}: pass --toolkit FOLDER")

    def program(self, name: str) -> Path:
        return self.folder / "bin" / name

    def run(
        self, name: str, *arguments: str, cwd: str | None = None, stdin: str | None = None
    ) -> str:
        """What the program prints; ToolkitError with its message if it fails."""
        done = subprocess.run(
            [str(self.program(name)), *arguments],
            capture_output=True,
            text=True,
            cwd=cwd,
            input=stdin,
            check=False,
        )
        if done.returncode != 0:
            raise ToolkitError(f"{name} {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def version(self) -> str:
        """The toolkit's version, "12.4.131"."""
        found = re.search(r"release [\d.]+, V([\d.]+)", self.run("cuobjdump", "--version"))
        return found[1] if found else "unknown"

    def demangle(self, names: list[str]) -> dict[str, str]:
        """Mangled name → readable name without return type and parameters."""
        if not names:
            return {}
        lines = self.run("cu++filt", stdin="\n".join(names) + "\n").splitlines()
        return {name: shorten(line) for name, line in zip(names, lines, strict=True)}


def shorten(signature: str) -> str:
    """ "void lk::scale<float, (int)3>(T1 *)" → "lk::scale<float, 3>"."""
    text = re.sub(r"(\(anonymous namespace\)|<unnamed>)::", "", signature)
    text = re.sub(r"\((?:[\w ]+|lk::[\w:]+)\)(?=-?\d)", "", text)
    depth = 0
    end = len(text)
    for position, character in enumerate(text):
        if character == "<":
            depth += 1
        elif character == ">":
            depth -= 1
        elif character == "(" and depth == 0:
            end = position
            break
    text = text[:end]
    start = 0
    depth = 0
    for position, character in enumerate(text):
        if character == "<":
            depth += 1
        elif character == ">":
            depth -= 1
        elif character == " " and depth == 0:
            start = position + 1
    return text[start:]
