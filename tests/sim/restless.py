"""A strategy for the simulator that wants something else at almost every bar."""

import msgspec

from schema.strategy import Offer
from services.engine.bundle import digest_of

SOURCE = '''
import random

from services.engine.strategy import Bar, Params, State, Strategy, Target, View

WISHES = 19


class Restless(Strategy):
    """Holds, grows, shrinks, waits at a limit, moves its stop, gives up: by the bar's number."""

    warmup = 5

    class Params(Params):
        flips: bool = False
        moods: float = 0.0
        much: float = 1.0
        waits: bool = False

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
        if self.params.waits:
            return self.wait(number, px, view)
        if view.position and number % 3 == 0:
            away = 0.002 + wish * 0.0002 if view.position > 0 else -0.002 - wish * 0.0002
            stop, limited = px * (1 - away), wish % 2
            return Target.qty(view.position, stop=stop, stop_limit=stop * limited, why="moved")
        stop = px * (1 - side * 0.004)
        if wish < 3:
            trail = px * 0.002 if wish == 2 else 0.0
            return Target.weight(side * 0.3 * self.params.much, stop=stop, trail=trail, why="some")
        if wish < 5:
            return Target.weight(side * 0.6, stop=stop, take=px * (1 + side * 0.002), why="more")
        if wish < 7:
            limit = px * (1 - side * 0.0005)
            return Target.notional(side * 900.0, limit=limit, stop=stop, why="cheaper",
                                   expires=view.in_bars(3))
        if wish in (10, 11):
            near = px * (1 - side * (0.0015 if wish == 10 else 0.0004))
            if number % 2:
                far = px * (1 - side * 0.006)
                return Target.notional(side * 700.0, limit=far, stop=far * (1 - side * 0.004),
                                       why="for a while", good_till=view.now + 20_000_000_000)
            return Target.notional(side * 700.0, limit=near, stop=stop, why="patient")
        if wish == 12:
            limit = px * (1 - side * 0.0008) if number % 3 else 0.0
            return Target.notional(side * 800.0, stop=stop, trigger=px * (1 + side * 0.0004),
                                   limit=limit, why="with the market", expires=view.in_bars(4))
        if wish in (13, 14, 15):
            near = px * (1 - side * 0.0006)
            return Target.notional(side * 600.0, stop=near, stop_limit=near, why="at a limit")
        if wish == 16:
            return Target.notional(side * 500.0, limit=px * (1 - side * 0.0003), stop=stop,
                                   post_only=True, why="never taking")
        if wish == 17:
            return Target.notional(side * 400.0, limit=px, stop=stop, why="at once or never",
                                   tif="IOC" if number % 2 else "FOK")
        if wish == 7:
            return Target.qty(side * 0.011, stop=px * (1 - side * 0.001), why="near")
        if wish == 8:
            return Target.qty(side * 0.02, why="bare", expires=view.in_bars(2))
        return Target.flat("enough") if wish == 9 else None

    def wait(self, number: int, px: float, view: View) -> Target:
        """Want something else each minute, mostly at a price that rests."""
        if number % 5 == 4 or view.position:
            return Target.flat("no more")
        if number % 5 == 1:
            return Target.notional(600.0 + number % 7, limit=px * 0.9985, stop=px * 0.997,
                                   trigger=px * 1.0001, why="and back")
        away = (0.0004, 0.003, 0.0001, 0.0015)[number % 5]
        over = view.in_bars(2) if number % 3 == 0 and number % 2 == 0 else 0
        return Target.notional(700.0 + number % 7, limit=px * (1 - away), stop=px * 0.9985,
                               stop_limit=px * 0.9985, post_only=number % 2 > 0, why=f"at {away}",
                               good_till=over)
'''

ANOTHER = SOURCE.replace("denied: int", "refused: int").replace("state.denied", "state.refused")
"""It remembers something else."""

BROKEN = SOURCE.replace("class Restless", "class Restless(")


def sourced(offer: Offer, source: str) -> Offer:
    """Return an offer with another source."""
    files = (("strategies.restless", source),)
    return msgspec.structs.replace(offer, files=files, digest=digest_of(files), trouble="")


WAITING = "waiting"


def waiting(symbol: str) -> Offer:
    """Return the same strategy as one whose entries rest."""
    offer = restless(symbol, flips=False)
    return msgspec.structs.replace(offer, name=WAITING, params={"waits": True})


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
