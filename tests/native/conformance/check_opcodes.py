#!/usr/bin/env python3
"""Checks that the compiler made the intended instructions of the arch layer.

usage: check_opcodes.py BINARY OPCODES CUOBJDUMP

BINARY holds the compiled kernels (an executable, library or cubin); OPCODES is opcodes.txt.
"""

import re
import subprocess
import sys
from pathlib import Path

FUNCTION = re.compile(r"^\s*Function : (\S+)")
ARCHITECTURE = re.compile(r"^\s*code for sm_(\d+)")
INSTRUCTION = re.compile(r"^\s+/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P[T\d]+\s+)?([A-Z][A-Za-z0-9_.]*)")
REQUIREMENT = re.compile(r"^(\S+(?:\s\S+)*?)\s{2,}(\d+)\s+(.*)$")


def disassemble(cuobjdump: Path, binary: Path) -> dict[tuple[int, str], set[str]]:
    """The opcodes of each kernel, by architecture and readable name."""
    text = subprocess.run([cuobjdump, "--dump-sass", binary], check=True, capture_output=True, text=True).stdout
    kernels: dict[tuple[int, str], set[str]] = {}
    architecture, current = 0, set()
    for line in text.splitlines():
        if match := ARCHITECTURE.match(line):
            architecture = int(match[1])
        elif match := FUNCTION.match(line):
            current = kernels.setdefault((architecture, match[1]), set())
        elif match := INSTRUCTION.match(line):
            current.add(match[1])
    names = sorted({name for _, name in kernels})
    demangler = cuobjdump.with_name("cu++filt")
    readable = subprocess.run([demangler, *names], check=True, capture_output=True, text=True).stdout.splitlines()
    # (bool)0 and (int)4 are how the demangler writes template arguments.
    plain = [re.sub(r"\(int\)", "", n).replace("(bool)0", "false").replace("(bool)1", "true") for n in readable]
    of = dict(zip(names, plain))
    return {(arch, of[name]): opcodes for (arch, name), opcodes in kernels.items()}


def has(opcodes: set[str], alternatives: str) -> bool:
    """Whether one of the alternatives (a|b) is an opcode or its beginning, up to a dot."""
    return any(
        opcode == wanted or opcode.startswith(wanted + ".")
        for wanted in alternatives.split("|")
        for opcode in opcodes
    )


def main() -> int:
    binary, table, cuobjdump = map(Path, sys.argv[1:4])
    kernels = disassemble(cuobjdump, binary)
    failures = checked = 0
    for number, line in enumerate(table.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = REQUIREMENT.match(line)
        if match is None:
            print(f"{table.name}:{number}: not 'kernel  architecture  opcodes'")
            failures += 1
            continue
        kernel, least, wanted = match[1], int(match[2]), match[3].split()
        pattern = re.compile(rf"\b{re.escape(kernel)}")
        found = [(arch, ops) for (arch, name), ops in kernels.items() if arch >= least and pattern.search(name)]
        if not found:
            print(f"{table.name}:{number}: no kernel {kernel} for sm_{least} or newer in {binary.name}")
            failures += 1
        for arch, opcodes in found:
            for alternatives in wanted:
                checked += 1
                if not has(opcodes, alternatives):
                    print(f"sm_{arch} {kernel}: no {alternatives}")
                    failures += 1
    print(f"{checked} opcodes checked in {len(kernels)} kernels, {failures} missing")
    return 1 if failures or checked == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
