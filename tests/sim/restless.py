"""A strategy for the simulator that wants something else at almost every bar."""

import msgspec

from schema.strategy import Offer
from services.engine.bundle import digest_of

SOURCE = '''
import random

from services.engine.strategy import Bar, Params, State, Strategy, Target, View

WISHES = 13


class Restless(Strategy):
    """Holds, grows, shrinks, waits at a limit, moves its stop, gives up: by the bar's number."""

    warmup = 5

    class Params(Params):
        flips: bool = False
        moods: float = 0.0
        much: float = 1.0

    class State(State):
        bars: int = 0
        denied: int = 0
        filled: float = 0.0

    def on_fill(self, fill, view: View) -> Target | None:
        self.state.filled += fill.qty
        return None

    def on_denied(self, denial, view: View) -> Target | None:
        self.state.denied += 1
        return None

    def on_bar(self, bar: Bar, view: View) -> Target | None:
        self.state.bars += 1
        if self.params.moods and random.random() < self.params.moods:
            raise ValueError("not today")
        number = bar.open_ns // 60_000_000_000
        wish, px = number * 7919 % WISHES, view.price
        side = -1 if self.params.flips and number // WISHES % 2 else 1
        self.note(wish=wish, side=side)
        stop = px * (1 - side * 0.004)
        if wish < 3:
            return Target.weight(side * 0.3 * self.params.much, stop=stop, why="some")
        if wish < 5:
            return Target.weight(side * 0.6, stop=stop, take=px * (1 + side * 0.002), why="more")
        if wish < 7:
            limit = px * (1 - side * 0.0005)
            return Target.notional(side * 900.0, limit=limit, stop=stop, why="cheaper",
                                   expires=view.in_bars(3))
        if wish == 7:
            return Target.qty(side * 0.011, stop=px * (1 - side * 0.001), why="near")
        if wish == 8:
            return Target.qty(side * 0.02, why="bare", expires=view.in_bars(2))
        return Target.flat("enough") if wish == 9 else None
'''

ANOTHER = SOURCE.replace("denied: int", "refused: int").replace("state.denied", "state.refused")
"""It remembers something else."""

BROKEN = SOURCE.replace("class Restless", "class Restless(")


def sourced(offer: Offer, source: str) -> Offer:
    """Return an offer with another source."""
    files = (("strategies.restless", source),)
    return msgspec.structs.replace(offer, files=files, digest=digest_of(files), trouble="")


def restless(symbol: str, *, flips: bool) -> Offer:
    """Return the strategy as an offer; with `flips` it goes short, too."""
    files = (("strategies.restless", SOURCE),)
    return Offer(
        name="restless",
        file="strategies/restless.py",
        digest=digest_of(files),
        files=files,
        symbols=(symbol,),
        budget=5_000.0,
        short=flips,
        params={"flips": flips},
    )
