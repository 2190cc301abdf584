"""`rrr strategy` as processes in a bare house, beside an engine that answers as a test says."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from bus.house import House
from schema.settings import StrategySettings
from schema.strategy import Offer
from services.engine.sources import offer_of
from tests.services.rrr.answering import Answers, Done, Services

__all__ = ["House", "asked", "offered", "row", "running", "source", "verbs", "write"]

SOURCE = '''"""A strategy."""

from services.engine.strategy import Bar, Params, State, Strategy, Target, View


class Mine(Strategy):
    """Long above the mean."""

    timeframe, warmup = "5m", 60

    class Params(Params):
        fast: int = 10  # 5..50
        weight: float = 0.2  # 0.01..1, live

    class State(State):
        best: float = 0.0

    def on_bar(self, bar: Bar, view: View) -> Target | None:
        """Answer."""
        return Target.weight(self.params.weight) if bar.close > view.sma(10) else None
'''


def write(house: House, name: str = "mine", text: str = SOURCE) -> Path:
    """Write a strategy into the house."""
    path = house.root / "strategies" / f"{name}.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def source(house: House, name: str = "mine") -> Any:
    """Return the offer of a strategy as its file is now."""
    own = StrategySettings(file=f"strategies/{name}.py", budget=1000.0)
    return offer_of(house.root, name, own, ("BTC/USDT",))


def row(house: House, name: str = "mine", **changes: Any) -> dict[str, Any]:
    """Return what an engine tells of a strategy."""
    symbols = [{"symbol": "BTC/USDT", "position": "0", "wants": "0"}]
    return {
        "name": name, "trouble": "", "latch": "", "mode": "trade", "budget": 1000.0,
        "file": f"strategies/{name}.py", "digest": source(house, name).digest, "worth": 1001.5,
        "short": False, "params": {}, "every_s": 0, "symbols": symbols,
    } | changes  # fmt: skip


def running(*rows: Mapping[str, Any], refuses: str = "") -> Answers:
    """Return the answers of an engine."""
    done = (not refuses, refuses or "done", None)
    verbs = ("offer", "retire", "close", "pause", "resume")
    told: dict[tuple[str, str], tuple[bool, str, Any]] = {("engine", verb): done for verb in verbs}
    return told | {
        ("engine", "strategies"): (True, "", list(rows)),
        ("engine", "stops"): (True, "", []),
    }


def verbs(house: House, *words: str, answers: Answers | None = None) -> Done:
    """Run `rrr strategy`; without answers no engine runs."""
    services = Services(house, () if answers is None else ("engine",), answers or {})
    try:
        return services.rrr("strategy", *words)
    finally:
        services.close()


def asked(done: Done) -> list[tuple[str, ...]]:
    """Return the commands that change something."""
    return [one[1:] for one in done.asked if one[1] not in {"strategies", "stops"}]


def offered(done: Done) -> Any:
    """Return the one offer that was made, and its reason."""
    ((verb, text, why),) = asked(done)
    assert verb == "offer"
    return msgspec.json.decode(text, type=Offer), why
