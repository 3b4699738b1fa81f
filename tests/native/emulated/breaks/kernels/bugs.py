"""What a planted bug is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Bug:
    kernel: str
    description: str
    file: str  # below native/src
    piece: str  # of the file: there once, white space aside
    instead: str
    unit: str  # that is compiled anew
    tests: str  # a filter of emulated_tests
    instance: str = ""  # what is compiled in its place: one instance of a kernel takes less time than all


def bugs_of(kernel, unit, tests):
    """Makes bugs that mostly are of one file, one unit and one test."""

    def bug(description, file, piece, instead, unit=unit, tests=tests, instance=""):
        return Bug(kernel, description, file, piece, instead, unit, tests, instance)

    return bug
