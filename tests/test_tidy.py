"""The architecture and the style of the house, as tests.

Each rule is a function from a file to findings, in tests/tidy/; each finding names the place, the
breach and the remedy. What a rule refuses and accepts stands in tests/tidy/breaches.py.
"""

import inspect
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.tidy import calls, imports, layout, shape, shards
from tests.tidy.breaches import BREACHES, KEPT, RULES, Case
from tests.tidy.source import PRODUCT, ROOT, Rule, Source, sources

FILES = sources()


def named(value: object) -> str:
    return getattr(value, "__name__", "")


def readable(rule: Rule, source: Source) -> bool:
    # Rules on text read every file; rules on syntax read Python alone.
    return source.suffix == ".py" or rule in {
        calls.phrases,
        calls.marks,
        calls.machines,
        shape.files,
        shape.columns,
        shape.drawers,
    }


def nothing(findings: Iterable[str]) -> None:
    found = list(findings)
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize("rule", RULES, ids=named)
def test_the_tree_keeps_the_rule(rule: Rule) -> None:
    nothing(found for source in FILES if readable(rule, source) for found in rule(source))


@pytest.mark.parametrize("case", BREACHES, ids=lambda case: f"{named(case[0])}-{case[1]}")
def test_a_breach_is_found(case: Case) -> None:
    rule, path, text = case
    source = Source(path, text)
    assert readable(rule, source)
    found = list(rule(source))
    assert found
    assert all(finding.startswith(f"{path}:") for finding in found)


@pytest.mark.parametrize("case", KEPT, ids=lambda case: f"{named(case[0])}-{case[1]}")
def test_what_keeps_the_rule_passes(case: Case) -> None:
    rule, path, text = case
    nothing(rule(Source(path, text)))


def test_every_rule_is_shown_to_refuse_and_to_accept() -> None:
    written = {
        function
        for module in (imports, calls, shape, shards)
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__
        and list(inspect.signature(function).parameters) == ["source"]
        and name not in {"imports", "functions"}
        and not name.startswith("_")
    }
    assert written == set(RULES)
    assert written == {rule for rule, _, _ in KEPT}


def test_nine_in_ten_functions_are_under_thirty_lines() -> None:
    lengths = sorted(
        shape.length(function)
        for source in FILES
        if source.product and source.suffix == ".py"
        for function in shape.functions(source)
    )
    assert lengths[len(lengths) * 9 // 10] < 30
    assert lengths[len(lengths) // 2] <= 10


def test_the_walk_sees_every_layer() -> None:
    assert {source.layer for source in FILES} >= {*PRODUCT, "tests"}
    assert "bus/clock.py" in {source.path for source in FILES}
    assert not [source.path for source in FILES if ".venv" in source.path]


def test_the_front_door_has_only_listed_entries() -> None:
    nothing(layout.entries(ROOT))


def test_no_folder_is_empty() -> None:
    nothing(layout.empty_folders(ROOT))


def test_the_folders_that_processes_write_to_are_kept() -> None:
    nothing(layout.missing_folders(ROOT))


def test_every_module_is_read_by_somebody() -> None:
    nothing(layout.unread_modules(FILES))


def test_a_stranger_at_the_front_door_is_found(tmp_path: Path) -> None:
    (tmp_path / "README.md").touch()
    (tmp_path / "scripts").mkdir()
    assert [found.partition(":")[0] for found in layout.entries(tmp_path)] == ["scripts"]


def test_an_empty_folder_is_found(tmp_path: Path) -> None:
    (tmp_path / "bus" / "empty" / "__pycache__").mkdir(parents=True)
    (tmp_path / "bus" / "empty" / "__pycache__" / "gone.pyc").touch()
    (tmp_path / "bus" / "full").mkdir()
    (tmp_path / "bus" / "full" / "x.py").touch()
    assert list(layout.empty_folders(tmp_path)) == ["bus/empty: an empty folder; remove it"]


def test_a_missing_folder_is_found(tmp_path: Path) -> None:
    for folder in layout.KEPT[1:]:
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / ".gitkeep").touch()
    assert [found.partition("/.gitkeep")[0] for found in layout.missing_folders(tmp_path)] == [
        layout.KEPT[0]
    ]


def test_a_module_that_nobody_imports_is_found() -> None:
    files = [
        Source("bus/a.py", "from bus import b\n"),
        Source("bus/b.py", ""),
        Source("services/rrr/__init__.py", "GROUPS = {'db': 'db:group'}\n"),
        Source("services/rrr/db.py", ""),
    ]
    assert list(layout.unread_modules(files)) == [
        "bus/a.py: nobody imports it; remove it or use it"
    ]
