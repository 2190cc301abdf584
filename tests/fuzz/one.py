"""One target under atheris, until its time is over: `python -m tests.fuzz.one TARGET CORPUS ...`.

Everything that it imports after atheris is instrumented, so the order of imports is the point.
"""

import importlib
import sys
from typing import Any


def main(name: str, arguments: list[str]) -> None:
    """Run the target; libFuzzer takes the rest of the arguments, and never returns."""
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["bus", "schema"]):
        targets = importlib.import_module("tests.fuzz.targets")
    atheris.Setup([name, *arguments], targets.TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
