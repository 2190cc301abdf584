"""What a strategy's class may declare, and the words with which nonsense is refused."""

from pathlib import Path

import pytest

from services.engine.loading import load
from tests.services.engine.strategy_files import IMPORT, offer, refusal, strategy


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("timeframe = '2m'", "Mine.timeframe is '2m': expected one of 1m 5m 15m 1h 4h 1d"),
        ("timeframe = ['1m']", "Mine.timeframe is ['1m']: expected one of"),
        ("warmup = 0", "Mine.warmup is 0: expected whole bars from 1 to 5000"),
        ("warmup = 5001", "Mine.warmup is 5001"),
        ("warmup = True", "Mine.warmup is True"),
        ("warmup = '9'", "Mine.warmup is '9'"),
        ("also = ['1h']", "Mine.also is ['1h']: expected bars by timeframe"),
        ("also = {'2h': 1}", "Mine.also names '2h': expected a timeframe or a symbol and one"),
        ("also = {'ETH/USDT': 1}", "Mine.also names 'ETH/USDT'"),
        ("also = {'eth 5m': 1}", "Mine.also names 'eth 5m'"),
        ("also = {5: 1}", "Mine.also names 5"),
        ("also = {'1h': 0.5}", 'Mine.also["1h"] is 0.5: expected whole bars'),
        ("every_s = -1", "Mine.every_s is -1: expected whole seconds, or 0 for no timer"),
        ("every_s = 0.5", "Mine.every_s is 0.5"),
        ("@property\ndef every_s(self):\n    return self.params.absent", "line 7: AttributeError"),
        ("Params = dict", "Mine.Params: expected a class derived from Params"),
        ("class State:\n    pass", "Mine.State: expected a class derived from State"),
        ("class Params(Params, frozen=False):\n    pass", "Mine.Params: expected it frozen"),
        ("class State(State):\n    best: float", "State.best has no default"),
        ("class State(State, array_like=True):\n    best: float = 0.0", "State: expected fields"),
        ("class State(State, rename='camel'):\n    a_b: int = 0", "State.a_b is renamed"),
        ("class State(State):\n    x: set[int] = set()", "State.x holds a set: expected plain"),
        ("class State(State):\n    x: list[dict[str, set[int]]] = []", "State.x holds a set"),
        (
            "class State(State):\n    x: list = msgspec.field(default_factory=lambda: [object])",
            "the state cannot be remembered",
        ),
        ("class State(State):\n    x: dict = {}; y: Strategy | None = None", "holds a Strategy"),
        ("class State(State):\n    x: int = 1.5", "the state cannot be remembered: Expected `int`"),
        (
            "class State(State):\n    from typing import Any\n    x: Any = (1, 2)",
            "state `x` is (1, 2) and would come back",
        ),
        ("class State(State):\n    x: Absent | None = None", "NameError: name 'Absent'"),
        (
            "def on_bars(self, bar, view):\n    pass",
            "Mine.on_bars is never asked: the nearest event",
        ),
        (
            "def on_fill(self, fill):\n    pass",
            "Mine.on_fill: too many positional arguments; expec",
        ),
        ("async def on_fill(self, fill, view):\n    pass", "Mine.on_fill answers later"),
        ("def __init__(self):\n    pass", "TypeError"),
        ("def __init__(self, *given):\n    self.bars = []", "Mine.bars cannot be set"),
    ],
)
def test_a_class_that_declares_nonsense_is_refused(tmp_path: Path, body: str, why: str) -> None:
    said = refusal(offer(tmp_path, strategy(body, before="import msgspec\n")))
    assert said.startswith("strategies/mine.py") and why in said and "0x" not in said


def test_a_strategy_that_answers_to_nothing_is_refused(tmp_path: Path) -> None:
    said = refusal(offer(tmp_path, f"{IMPORT}class Mine(Strategy):\n    pass\n"))
    assert "Mine answers to nothing: expected one of on_bar on_forecast on_fill" in said


def test_what_a_class_may_declare_is_accepted(tmp_path: Path) -> None:
    body = """\
warmup, also = 5000, {"ETH/USDT 5m": 1, "1d": 5000}
class Params(Params):
    every: int = 60  # 1..600 live
class State(State):
    best: float = 0
    worst: float = float("nan")
    word: str = ""
    pair: tuple[int, int] = (1, 2)
    seen: dict[str, list[float]] = {}
    last: int | None = None
    raw: bytes = b""
    free: list = []
@property
def every_s(self):
    return self.params.every
@staticmethod
def on_timer(now, view):
    return None
def on_fill(self, *given):
    return None
"""
    found = load(offer(tmp_path, strategy(body), every=30))
    assert found.kind(found.params).every_s == 30
    assert found.live == ("every",)
