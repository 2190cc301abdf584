"""What `rrr strategy new NAME` writes: a strategy that already decides something, and its test."""

import keyword
import os
import re
from pathlib import Path

from bus.errors import HouseError
from bus.house import House

NAME = re.compile(r"[a-z][a-z0-9_]{1,39}")

STRATEGY = '''"""The strategy `{name}`: say in a sentence what it does."""

from services.engine.strategy import Bar, Params, State, Strategy, Target, View


class {kind}(Strategy):
    """Long after some closes above their mean, until one is below it.

    Say here what the idea is, which market it suits, and when it loses. As it stands it loses in
    every market without direction, and the fees with it.
    """

    timeframe, warmup = "5m", 200  # closed bars that `view` holds, before anything is asked

    class Params(Params):
        bars: int = 50  # 5..200
        confirm: int = 3  # 1..20
        atrs: float = 3.0  # 0.5..10, live
        weight: float = 0.2  # 0.01..1, live

    class State(State):  # all that a restart keeps
        above: int = 0  # closes above the mean, one after the other

    def on_bar(self, bar: Bar, view: View) -> Target | None:
        """Count the closes above the mean; buy behind a stop, and sell below the mean."""
        mean = view.sma(self.params.bars)
        self.note(mean=mean, above=self.state.above)
        if bar.close < mean:
            self.state.above = 0
            return Target.flat("below_mean")
        self.state.above += 1
        if view.position or self.state.above < self.params.confirm:
            return None
        stop = bar.close - self.params.atrs * view.atr(14)
        if not 0 < stop < view.price:  # A nan is neither, and a stop above the price is refused.
            return Target.keep("no_room_for_a_stop")
        return Target.weight(self.params.weight, stop=stop, why="above_mean")
'''

TEST = '''"""The strategy `{name}`: what it decides, without a house."""

from strategies.{name} import {kind}
from tests.services.strategies.desk import Desk, entries

QUIET = [100.0 + n % 2 for n in range({kind}.warmup)]
RISE = [102.0, 103.0, 104.0, 105.0]
FALL = [98.0, 97.0]


def test_{name}_buys_a_rise_behind_a_stop() -> None:
    desk = Desk({kind}())
    desk.bars(QUIET)
    bought = entries(desk.bars(RISE))
    assert bought
    assert 0 < bought[0].stop < desk.price


def test_{name}_sells_when_the_rise_is_over() -> None:
    desk = Desk({kind}())
    desk.bars(QUIET + RISE)
    desk.fills(1.0)
    assert [answer.kind for answer in desk.bars(FALL) if answer] == ["flat", "flat"]


def test_{name}_decides_the_same_after_a_restart() -> None:
    once, again = Desk({kind}()), Desk({kind}())
    for close in QUIET + RISE + FALL:
        answer = once.bar(close)
        again.restart()
        assert again.bar(close) == answer
'''


def strategy_file(name: str) -> tuple[str, str]:
    """Return the path of a new strategy in the checkout, and its text."""
    return f"strategies/{name}.py", _filled(STRATEGY, name)


def file_meant(house: House, word: str) -> Path | None:
    """Return the file that a person means by a path, or by the name of a new strategy.

    None for a name that the settings have, or that nobody wrote.
    """
    if not (word.endswith(".py") or "/" in word):
        new = house.root / strategy_file(word)[0] if NAME.fullmatch(word) else None
        return new if new and word not in house.settings.strategy and new.is_file() else None
    typed = Path(os.path.realpath(word))  # Which leaves a link to itself as it is.
    return typed if typed.exists() else Path(os.path.realpath(house.root / word))


def test_file(name: str) -> tuple[str, str]:
    """Return the path of its test, and the text."""
    return f"tests/services/strategies/test_strategy_{name}.py", _filled(TEST, name)


def settings_block(name: str, budget: int, symbol: str) -> str:
    """Return the table that makes a house know it, as a shadow."""
    return (
        f"[strategy.{name}]\n"
        f'file = "strategies/{name}.py"\n'
        f"budget = {budget}\n"
        f'symbols = ["{symbol}"]\n'
        'mode = "shadow"\n'
    )


def class_name(name: str) -> str:
    """Return the name of the class for that of a strategy: `my_dip` is MyDip."""
    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        raise HouseError(
            f"{name!r} cannot name a strategy: expected 2 to 40 of a-z, 0-9 and _, "
            "a letter first, and no word of Python",
            "Choose a name like my_dip",
        )
    return "".join(word.capitalize() for word in name.split("_"))


def _filled(text: str, name: str) -> str:
    return text.format(name=name, kind=class_name(name))
