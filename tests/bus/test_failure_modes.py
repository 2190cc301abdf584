"""The list of failure modes is whole, and every proof that it names is there."""

import ast
import tomllib
from functools import cache
from pathlib import Path

import pytest

from tests.bus.failure_modes import MODES, Mode

TESTS = Path(__file__).parents[1]


@cache
def collected_from(path: Path) -> frozenset[str]:
    """Return the tests that pytest collects from a file."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    functions = (node for node in body if isinstance(node, ast.FunctionDef))
    return frozenset(one.name for one in functions if one.name.startswith("test_"))


def test_every_mode_has_a_row_in_its_order() -> None:
    assert [mode.name for mode in MODES] == [f"F{n}" for n in range(1, 28)]
    assert all(mode.fails and mode.handled and mode.proofs for mode in MODES)


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
def test_every_proof_that_is_named_is_a_test(mode: Mode) -> None:
    for proof in mode.proofs:
        name, _, function = proof.partition("::")
        path = TESTS / name
        assert path.name.startswith("test_"), f"{mode.name}: pytest does not collect {name}"
        assert path.is_file(), f"{mode.name}: no file tests/{name}"
        assert function in collected_from(path), f"{mode.name}: tests/{name} has no test {function}"


def test_the_files_that_are_named_lie_where_tests_are_looked_for() -> None:
    settings = tomllib.loads((TESTS.parent / "pyproject.toml").read_text())
    options = settings["tool"]["pytest"]["ini_options"]
    assert options["testpaths"] == ["tests"]
    assert not {"python_files", "python_functions", "norecursedirs"} & options.keys()
