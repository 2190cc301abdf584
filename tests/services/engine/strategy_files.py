"""Strategies as people write them, in a checkout of their own, and the offers that carry them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schema.settings import StrategySettings
from schema.strategy import Offer, Scalar
from services.engine.loading import LoadError, load
from services.engine.sources import offer_of

SYMBOLS = ("BTC/USDT", "ETH/USDT")
IMPORT = "from services.engine.strategy import Bar, Params, State, Strategy, Target, View\n"

AUTHORS_EXAMPLE = '''\
# strategies/trend.py      settings: [strategy.trend] file = "strategies/trend.py"  \
budget = 1000  symbols = ["BTC/USDT"]
from services.engine.strategy import Bar, Params, State, Strategy, Target, View

class Trend(Strategy):
    """Long while the fast mean is above the slow one; out two ATR below the best close."""
    timeframe, warmup, also = "5m", 50, {"1h": 100}          # closed bars that View \
holds; other symbols: {"ETH/USDT 5m": 50}

    class Params(Params):
        fast: int = 10                                       # 5..50
        slow: int = 30                                       # 20..200

    class State(State):                                      # the only thing a restart keeps
        best: float = 0.0

    def on_bar(self, bar: Bar, view: View) -> Target | None: # floats to the author; \
exact integers stay in the engine
        fast, slow = view.close[-self.params.fast:].mean(), view.close[-self.params.slow:].mean()
        self.note(fast=fast, slow=slow)                      # shown by why, why-not, \
charts; decides nothing
        if fast < slow:
            return Target.flat("cross_down")
        self.state.best = max(self.state.best, bar.close)
        return Target.weight(0.2, stop=self.state.best - 2 * view.atr(14), why="cross_up")
'''

PARENT = f'''{IMPORT}
class Parent(Strategy):
    """Says what it is made of."""

    class Params(Params):
        share: float = 0.1  # 0..0.5 live

    def on_bar(self, bar, view):
        return Target.weight(self.params.share, why="WORD")
'''

CHILD = """from strategies.base import Parent

class Child(Parent):
    warmup = 3
"""


def strategy(body: str = "", *, before: str = "", on_bar: str = "return None") -> str:
    """Return the text of a strategy whose class has these lines."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return (
        f"{before}{IMPORT}\nclass Mine(Strategy):\n{lines}\n"
        f"    def on_bar(self, bar, view):\n        {on_bar}\n"
    )


def write(root: Path, texts: Mapping[str, str]) -> None:
    """Write files below a checkout."""
    for name, text in texts.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def offered(root: Path, file: str = "strategies/mine.py", **params: Scalar) -> Offer:
    """Return the offer of a file in a checkout."""
    settings = StrategySettings(file=file, budget=1000.0, params=params)
    return offer_of(root, "mine", settings, SYMBOLS)


def offer(root: Path, text: str, **params: Scalar) -> Offer:
    """Write a strategy and return its offer."""
    write(root, {"strategies/mine.py": text})
    return offered(root, "strategies/mine.py", **params)


def names(offer: Offer) -> list[str]:
    """Return the modules of a bundle in their order."""
    return [name for name, _ in offer.files]


def travelled(offer: Offer) -> Offer:
    """Return an offer as it comes out of a journal."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(offer), type=Offer)


def made(root: Path, text: str) -> Any:
    """Return an instance of the strategy with this text."""
    found = load(offer(root, text))
    return found.kind(found.params)


def refusal(found: Offer) -> str:
    """Return why an offer does not load."""
    with pytest.raises(LoadError) as refused:
        load(found)
    return refused.value.what
