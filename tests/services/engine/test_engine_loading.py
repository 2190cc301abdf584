"""From an offer to a class: what is run, what is refused, what stays behind, what is remembered."""

import inspect
import linecache
import sys
import traceback
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.engine.boundary import Overran
from services.engine.bundle import digest_of
from services.engine.loading import load, migrated, unpack, where
from services.engine.strategy import Strategy, Target
from tests.services.engine.strategy_files import (
    AUTHORS_EXAMPLE,
    CHILD,
    IMPORT,
    PARENT,
    made,
    offer,
    offered,
    refusal,
    strategy,
    travelled,
    write,
)


def test_the_authors_example_loads_as_it_is_written(tmp_path: Path) -> None:
    write(tmp_path, {"strategies/trend.py": AUTHORS_EXAMPLE})
    found = load(travelled(offered(tmp_path, "strategies/trend.py", fast=12)))
    assert found.kind.__name__ == "Trend" and issubclass(found.kind, Strategy)
    assert (found.kind.timeframe, found.kind.warmup, found.kind.also) == ("5m", 50, {"1h": 100})
    assert msgspec.structs.asdict(found.params) == {"fast": 12, "slow": 30}
    assert {name: str(allowed) for name, allowed in found.ranges.items()} == {
        "fast": "5..50",
        "slow": "20..200",
    }
    assert found.live == ()
    assert found.kind(found.params).state.best == 0.0


def test_annotations_that_are_text_are_understood_after_the_load(tmp_path: Path) -> None:
    body = """\
class Params(Params):
    kept: ClassVar[int] = 1
    share: Annotated[float, Meta(ge=0, le=1)] = 0.5
class State(State):
    legs: list[Leg] = []
    best: Optional[float] = None
"""
    before = "from __future__ import annotations\nfrom typing import *\nfrom msgspec import *\n"
    leg = "class Leg(Struct):\n    qty: float = 1.0\n"
    found = load(offer(tmp_path, strategy(body, before=before + leg), share=1))
    assert (found.params.share, str(found.ranges["share"])) == (1.0, "0..1")
    packed = b"\x82\xa4legs\x91\x81\xa3qty\x02\xa4best\xc0"
    assert unpack(found.kind, packed).legs[0].qty == 2.0
    assert migrated(found.kind, packed) == unpack(found.kind, packed)
    assert not isinstance(msgspec.structs.fields(found.kind.Params)[0].type, str)


def test_a_changed_parent_is_run_anew_and_the_old_class_keeps_its_own(tmp_path: Path) -> None:
    write(tmp_path, {"strategies/base.py": PARENT})
    old = load(offer(tmp_path, CHILD))
    write(tmp_path, {"strategies/base.py": PARENT.replace("WORD", "OTHER")})
    new = load(offered(tmp_path))
    assert (old.kind.warmup, old.ranges, old.live) == (3, new.ranges, ("share",))
    assert said_by(old) == "WORD" and said_by(new) == "OTHER"


def said_by(found: Any) -> str:
    answer = found.kind(found.params).on_bar(None, None)
    assert isinstance(answer, Target)
    return answer.why


def test_the_text_that_was_offered_runs_and_not_the_disk(tmp_path: Path) -> None:
    write(tmp_path, {"strategies/base.py": PARENT})
    found = offer(tmp_path, CHILD)
    write(tmp_path, {"strategies/base.py": "raise SystemExit", "strategies/mine.py": ""})
    assert said_by(load(found)) == "WORD"


def test_an_import_inside_of_a_function_finds_the_bundle_later(tmp_path: Path) -> None:
    late = "import strategies.words as w, json; from words import WORD; return w.WORD + WORD"
    write(tmp_path, {"strategies/words.py": "WORD = 'late'\n"})
    found = offer(tmp_path, strategy(on_bar=late))
    loaded = load(found)
    mine: Any = loaded.kind(loaded.params)
    assert mine.on_bar(None, None) == "latelate"


def test_relative_imports_and_packages_are_followed(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "strategies/deep/__init__.py": "from .words import WORD as DEEP\n",
            "strategies/deep/words.py": "from .. import top\nWORD = top.WORD\n",
            "strategies/top.py": "WORD = 'top'\n",
        },
    )
    text = strategy(before="from .deep import DEEP\n", on_bar="return DEEP")
    assert made(tmp_path, text).on_bar(None, None) == "top"


def test_modules_are_afterwards_as_they_were_before(tmp_path: Path) -> None:
    class Before:
        pass

    stranger: Any = Before()
    write(tmp_path, {"strategies/base.py": PARENT})
    found = offer(tmp_path, CHILD)
    sys.modules["strategies.base"] = stranger
    try:
        before, ways = dict(sys.modules), list(sys.meta_path)
        load(found)
        assert (sys.modules, sys.meta_path) == (before, ways)
    finally:
        del sys.modules["strategies.base"]


def test_the_same_source_with_the_same_parameters_runs_once(tmp_path: Path) -> None:
    write(tmp_path, {"strategies/base.py": PARENT})
    found = offer(tmp_path, CHILD)
    assert load(found) is load(travelled(found))
    assert load(found) is not load(offered(tmp_path, share=0.2))


def test_tracebacks_and_people_see_the_source_that_runs(tmp_path: Path) -> None:
    mine = made(tmp_path, strategy(on_bar="return 1 / 0"))
    write(tmp_path, {"strategies/mine.py": ""})
    linecache.checkcache()
    assert "return 1 / 0" in inspect.getsource(mine.on_bar)
    with pytest.raises(ZeroDivisionError) as failed:
        mine.on_bar(None, None)
    assert "return 1 / 0" in "".join(traceback.format_exception(failed.value))
    assert where(failed.value) == "strategies/mine.py line 6"
    assert where(ValueError()) == ""


@pytest.mark.parametrize(
    ("before", "why"),
    [
        ("1 / 0\n", "line 1: ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)\n", "line 1: SystemExit: 3"),
        ("raise KeyboardInterrupt\n", "line 1: KeyboardInterrupt"),
        ("def f():\n    f()\nf()\n", "line 2: RecursionError: maximum recursion depth exceeded"),
        ("import nothing_of_that_name\n", "line 1: ModuleNotFoundError: No module named"),
        (
            "from strategies.base import Absent\n",
            "line 1: ImportError: cannot import name 'Absent'",
        ),
        ("import strategies.worse\n", "line 2: ValueError: worse"),
        ("return 1\n", "line 1: SyntaxError: 'return' outside function"),
        ("import schema.units\n", "line 1 imports schema.units: a strategy imports only services."),
        ("def f():\n    from services.engine import series\n", "line 2 imports services.engine.s"),
        ("from bus.clock import *\n", "line 1 imports bus.clock: a strategy imports only"),
        ("x: 'list[Absent]' = []\n", ""),
    ],
)
def test_what_fails_during_an_import_is_told_with_its_place(
    tmp_path: Path, before: str, why: str
) -> None:
    write(
        tmp_path, {"strategies/base.py": "", "strategies/worse.py": "\nraise ValueError('worse')"}
    )
    found = offer(tmp_path, strategy(before=before))
    if not why:
        assert load(found)
        return
    said = refusal(found)
    file = "strategies/worse.py" if "worse" in why else "strategies/mine.py"
    assert file in said and why in said and "\n" not in said


def test_a_load_that_took_too_long_is_told_to_whoever_asked(tmp_path: Path) -> None:
    late = "import sys\nraise sys.modules['services.engine.boundary'].Overran('late')\n"
    found = offer(tmp_path, strategy(before=late))
    before = dict(sys.modules)
    with pytest.raises(Overran, match="late"):
        load(found)
    assert sys.modules == before


def test_a_syntax_error_that_was_offered_is_told_with_its_place(tmp_path: Path) -> None:
    files = (("strategies.mine", "x = 1\nx y\n"),)
    found = msgspec.structs.replace(
        offer(tmp_path, strategy()), files=files, digest=digest_of(files)
    )
    assert refusal(found) == "strategies/mine.py line 2: SyntaxError: invalid syntax"


def test_trouble_and_another_source_are_refused(tmp_path: Path) -> None:
    assert refusal(offered(tmp_path)) == "strategies/mine.py: no such file"
    found = msgspec.structs.replace(offer(tmp_path, strategy()), digest="0" * 64)
    assert refusal(found) == (
        "strategies/mine.py: its source is another than the one that was offered"
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("x = 1\n", "found no class of its own"),
        ("class Other:\n    pass\n", "found class Other"),
        (f"{IMPORT}class A(Strategy): pass\nclass B(Strategy): pass\n", "found class A, class B"),
        ("from strategies.base import Parent\n", "found no class of its own"),
    ],
)
def test_a_file_has_exactly_one_strategy(tmp_path: Path, text: str, found: str) -> None:
    write(tmp_path, {"strategies/base.py": PARENT})
    said = refusal(offer(tmp_path, text))
    assert said == f"strategies/mine.py: expected one class derived from Strategy, {found}"


def test_a_parent_in_the_same_file_is_not_the_strategy(tmp_path: Path) -> None:
    text = PARENT + "\nclass Child(Parent):\n    pass\n\nAlias = Child\n"
    assert load(offer(tmp_path, text)).kind.__name__ == "Child"
