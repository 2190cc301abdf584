"""What a strategy remembers: packed by name, given back as it was, taken over by newer sources."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.engine.loading import LoadError, load, migrated, pack, settle, unpack
from services.engine.strategy import Strategy
from tests.services.engine.strategy_files import made, offer, strategy

REMEMBERS = """\
class State(State):
    best: float = 0.0
    bars: int = 0
    seen: list = []
"""


def test_a_state_is_packed_by_name_and_comes_back(tmp_path: Path) -> None:
    mine = made(tmp_path, strategy(REMEMBERS))
    mine.state.seen.append({"a": 1.5})
    packed = pack(mine.state)
    assert msgspec.msgpack.decode(packed) == {"best": 0.0, "bars": 0, "seen": [{"a": 1.5}]}
    assert unpack(type(mine), packed) == mine.state


def test_a_settled_state_is_what_a_restart_would_give(tmp_path: Path) -> None:
    body = "self.state.best, self.state.bars = np.float64(5), np.int64(3)"
    text = strategy(REMEMBERS, before="import numpy as np\n", on_bar=body)
    mine = made(tmp_path, text)
    mine.on_bar(None, None)
    packed = settle(mine)
    assert (type(mine.state.best), type(mine.state.bars)) == (float, int)
    assert mine.state == unpack(type(mine), packed)
    mine.state.best = 5
    assert settle(mine, packed) == packed
    mine.state.best = 6
    assert settle(mine, packed) != packed


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("self.state.bars = 2.5", "the state cannot be remembered: Expected `int`, got `float` in"),
        ("self.state.bars = 1 << 70", "the state cannot be remembered"),
        ("self.state.best = view", "Expected `float`, got `None` in `best`"),
        ("self.state.seen.append({1, 2})", "state `seen` is [{1, 2}] and would come back as"),
        ("self.state.seen.append(Strategy)", "the state cannot be remembered: ABCMeta is no plain"),
        ("self.state.seen += [1.5] * 8_000", "the state has 72029 bytes, at most 65536 are"),
        ("self.state.seen.append(self.state.seen)", "the state cannot be remembered"),
    ],
)
def test_a_state_that_would_not_come_back_is_refused(tmp_path: Path, wrong: str, why: str) -> None:
    mine = made(tmp_path, strategy(REMEMBERS, on_bar=wrong))
    before = settle(mine)
    mine.on_bar(None, None)
    with pytest.raises(LoadError) as refused:
        settle(mine, before)
    assert why in refused.value.what


def test_a_state_that_grows_too_large_is_refused(tmp_path: Path) -> None:
    mine = made(tmp_path, strategy(REMEMBERS, on_bar="self.state.seen.append('x' * 70_000)"))
    before = settle(mine)
    mine.on_bar(None, None)
    with pytest.raises(LoadError, match=r"the state has 700\d\d bytes, at most 65536"):
        settle(mine, before)
    body = "class State(State):\n    text: str = 'x' * 70_000\n"
    with pytest.raises(LoadError, match=r"bytes, at most 65536 are remembered"):
        load(offer(tmp_path, strategy(body)))


def test_a_strategy_without_a_state_is_settled_for_nothing(tmp_path: Path) -> None:
    mine = made(tmp_path, strategy())
    assert settle(mine) == settle(mine, settle(mine)) == pack(mine.state)


Leaf = st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.floats() | st.text()
Flat = st.lists(Leaf, max_size=4) | st.dictionaries(st.text(), Leaf, max_size=4)
Plain = Leaf | Flat | st.lists(Flat, max_size=3) | st.dictionaries(st.text(), Flat, max_size=3)


class Remembering(Strategy):
    """Remembers anything plain."""

    class State(Strategy.State):  # type: ignore[misc]
        held: Any = None


@given(Plain)
def test_whatever_is_plain_comes_back_as_it_was(held: object) -> None:
    mine = Remembering()
    mine.state.held = held
    packed = settle(mine)
    assert pack(mine.state) == packed == settle(mine, packed)
    assert repr(mine.state.held) == repr(held)
    assert repr(migrated(Remembering, packed).held) == repr(held)


def test_a_state_of_another_source_is_taken_by_its_names(tmp_path: Path) -> None:
    old = made(tmp_path, strategy(REMEMBERS))
    old.state.bars, old.state.best = 7, 2.5
    body = "class State(State):\n    bars: float = 0.0\n    added: int = 9\n    best: float = 0.0\n"
    new = load(offer(tmp_path, strategy(body))).kind
    state = migrated(new, pack(old.state))
    assert msgspec.structs.asdict(state) == {"bars": 7.0, "added": 9, "best": 2.5}


def test_a_state_whose_type_changed_refuses_the_reload(tmp_path: Path) -> None:
    old = made(tmp_path, strategy(REMEMBERS))
    old.state.best = 3.5
    new = load(offer(tmp_path, strategy("class State(State):\n    best: int = 0\n"))).kind
    with pytest.raises(LoadError) as refused:
        migrated(new, pack(old.state))
    assert refused.value.what == ("Mine: state `best` was 3.5, expected int: reload refused")
    assert "Give the field another name" in refused.value.hint
    with pytest.raises(LoadError):
        migrated(new, b"\xc1")
