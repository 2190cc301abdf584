"""Ranges and marks of parameters as an author writes them, and which values they allow."""

from pathlib import Path
from typing import Any

import pytest

from services.engine.loading import Loaded, LoadError, load
from services.engine.params import Range, check_params
from tests.services.engine.strategy_files import CHILD, PARENT, offer, strategy, write

PARAMS = """\
class Params(Params):
    fast: int = 10  # 5..50
    share: float = 0.2  # 0..1, live
    on: bool = True  # live
    word: str = "x"
"""


def loaded(root: Path, body: str = PARAMS, before: str = "", **values: Any) -> Loaded:
    return load(offer(root, strategy(body, before=before), **values))


def refusal(root: Path, body: str = PARAMS, **values: Any) -> str:
    with pytest.raises(LoadError) as refused:
        loaded(root, body, **values)
    return refused.value.what.removeprefix("strategies/mine.py: ")


@pytest.mark.parametrize(
    ("comment", "allowed", "live"),
    [
        ("# 5..50", Range(5, 50), False),
        ("#5..50", Range(5, 50), False),
        ("# 5 .. 50 live", Range(5, 50), True),
        ("# 5..50, live", Range(5, 50), True),
        ("# 5..50; live: while a position is open", Range(5, 50), True),
        ("# live", None, True),
        ("# live, 5..50", Range(5, 50), True),
        ("# live  # what it is", None, True),
        ("# 5..50 bars of the fast mean", Range(5, 50), False),
        ("# 5..50 bars that live long", Range(5, 50), False),
        ("# lively", None, False),
        ("# live and let 1..20", None, False),
        ("# -1.5..2e1", Range(-1.5, 20.0), False),
        ("# 1e-3..1e2 live", Range(0.001, 100.0), True),
        ("# .5..10.", Range(0.5, 10.0), False),
        ("# 1_0..1_000", Range(10, 1000), False),
        ("# about 5..50", None, False),
        ("# 1..2..3", None, False),
        ("", None, False),
    ],
)
def test_a_comment_is_read_as_it_is_meant(
    tmp_path: Path, comment: str, allowed: Range | None, *, live: bool
) -> None:
    found = loaded(tmp_path, f"class Params(Params):\n    x: float = 10.0  {comment}\n")
    assert found.ranges == ({} if allowed is None else {"x": allowed})
    assert found.live == (("x",) if live else ())


def test_a_range_may_stand_in_the_type(tmp_path: Path) -> None:
    body = """\
class Params(Params):
    a: Annotated[int, Meta(ge=5, le=50)] = 10
    b: Annotated[int, Meta(ge=5)] = 10  # live
    c: Annotated[float, Meta(gt=0)] = 1.0  # 0..2
"""
    before = "from typing import Annotated\nfrom msgspec import Meta\n"
    found = loaded(tmp_path, body, before)
    assert {name: str(one) for name, one in found.ranges.items()} == {
        "a": "5..50",
        "b": "5..",
        "c": "0..2",
    }
    with pytest.raises(LoadError, match=r"parameter `c` is 0: expected float > 0"):
        loaded(tmp_path, body, before, c=0)
    with pytest.raises(LoadError, match=r"parameter `a` is 4: expected int >= 5"):
        loaded(tmp_path, body, before, a=4)


def test_the_class_that_declares_a_field_last_has_the_word(tmp_path: Path) -> None:
    base = PARENT.replace("share: float", "kept: int = 1  # 1..9\n        share: float")
    body = "    class Params(Parent.Params):\n        share: float = 7.0  # 5..9\n"
    write(tmp_path, {"strategies/base.py": base})
    found = load(offer(tmp_path, CHILD + body))
    assert {name: str(one) for name, one in found.ranges.items()} == {
        "kept": "1..9",
        "share": "5..9",
    }
    assert found.live == ()


def test_values_are_set_and_become_what_is_declared(tmp_path: Path) -> None:
    params = loaded(tmp_path, fast=5, share=1, on=False, word="y").params
    assert (params.fast, params.share, params.on, params.word) == (5, 1.0, False, "y")
    assert type(params.share) is float


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"fats": 12}, "parameter `fats` is unknown: the nearest is `fast`"),
        ({"fast": 4}, "parameter `fast` is 4: expected a value within 5..50"),
        ({"fast": "12"}, "parameter `fast` is '12': expected int"),
        ({"fast": 12.5}, "parameter `fast` is 12.5: expected int"),
        ({"fast": True}, "parameter `fast` is True: expected int"),
        ({"share": 1.5}, "parameter `share` is 1.5: expected a value within 0..1"),
        ({"share": float("nan")}, "parameter `share` is nan: expected a finite number"),
        ({"on": 1}, "parameter `on` is 1: expected bool"),
        ({"word": 1}, "parameter `word` is 1: expected str"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused(
    tmp_path: Path, values: dict[str, Any], why: str
) -> None:
    assert refusal(tmp_path, **values) == why


@pytest.mark.parametrize(
    ("field", "why"),
    [
        ("x: int = 1  # 5..50", "Params.x: of its own default, parameter `x` is 1: expected a"),
        ("x: int = 'y'", "Params.x: of its own default, parameter `x` is 'y': expected int"),
        ("x: int = 9  # 50..5", "Params.x: 50..5 is no range: the smaller comes first"),
        ("x: int", "Params.x has no default"),
        ("x: list = []", "Params.x is a list: expected int, float, bool or str"),
        ("x: int | None = None", "Params.x is a int | None: expected int, float, bool or str"),
        ("x: bool = True  # 0..1", "Params.x has a range: expected one beside numbers alone"),
    ],
)
def test_a_field_that_contradicts_itself_is_refused(tmp_path: Path, field: str, why: str) -> None:
    assert refusal(tmp_path, f"class Params(Params):\n    {field}\n").startswith(why)


def test_parameters_without_a_declaration_are_unknown(tmp_path: Path) -> None:
    assert refusal(tmp_path, "", fast=1) == ("parameter `fast` is unknown: this strategy has none")


def test_what_an_author_forbids_is_refused_with_his_words(tmp_path: Path) -> None:
    body = """\
class Params(Params):
    fast: int = 1
    slow: int = 2
    def __post_init__(self):
        if self.fast >= self.slow:
            raise ValueError("fast must be below slow")
"""
    why = "strategies/mine.py line 9: ValueError: fast must be below slow"
    assert refusal(tmp_path, body, fast=2) == why
    found = loaded(tmp_path, body)
    with pytest.raises(LoadError) as refused:
        check_params(found.kind, found.ranges, {"slow": 0})
    assert refused.value.what == why
