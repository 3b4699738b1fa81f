"""Makes the page and the plots of a benchmark from its results.json."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import plots
from results import Report, markdown


def publish(folder: Path) -> str:
    """Writes README.md and the pictures beside results.json; what was written, for people."""
    report = Report.load(folder / "results.json")
    names, message = plots.write_all(report, folder)
    (folder / "README.md").write_text(markdown(report, names), encoding="utf-8")
    pictures = f"{len(names)} plots as SVG" + ("" if message else " and PNG")
    return f"{folder / 'README.md'}: {pictures}" + (f"; {message}" if message else "")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="with results.json")
    print(publish(parser.parse_args(arguments).folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
