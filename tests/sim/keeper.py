"""Who keeps the strategies of a simulated house: loads, changes, stops and drops them by chance.

As the command line does it: the settings first, then a word to the engine; what it refuses is put
back. When the engine dies in between, either may have been the last that was written.
"""

from collections.abc import Callable
from random import Random

import msgspec

from bus.hub import Place
from schema.strategy import Offer
from services.engine.state import Books
from tests.sim.restless import ANOTHER, BROKEN, restless, sourced
from tests.sim.stand import Stand
from tests.sim.walk import SYMBOL

MOODY = "moody"
LIVES = 400
"""Passes in which all strategies have to be back at their work."""


class Keeper:
    """A person with a mind of their own."""

    def __init__(self, stand: Stand, seed: int) -> None:
        self._stand = stand
        self._chance = Random(f"keeper {seed}")
        self._often = self._chance.choice((0.0, 0.02, 0.06))
        self._asked: tuple[Place, int, str, Offer | None] | None = None
        self._moods = self._chance.choice((0.0, 0.1)) if self._often else 0.0
        stand.moody = self._moods > 0
        moody = msgspec.structs.replace(
            restless(SYMBOL, flips=False),
            name=MOODY,
            params={"moods": self._moods},
            role=self._chance.choice(("trade", "shadow")),
        )
        self.wanted = {**stand.offers, MOODY: moody}
        if self._often:
            stand.offers[MOODY] = moody

    def act(self) -> None:
        """Do something, now and then."""
        self._hear()
        idle = self._asked is None and "engine" in self._stand.lives
        if not idle or self._chance.random() >= self._often:
            return
        name = self._chance.choice(tuple(self.wanted))
        verb = self._chance.choice(("offer", "offer", "offer", "retire", "stop", "resume"))
        if verb == "offer":
            self._offer(name, self._another(name))
        elif verb == "retire" and name in self._stand.offers:
            self._ask(name, None, "retire", name)
        elif verb != "retire":
            verb = self._chance.choice(("pause", "pause", "close")) if verb == "stop" else verb
            self._ask(name, self._stand.offers.get(name), verb, name)

    def put_right(self, step: Callable[[], None]) -> None:
        """Let all strategies trade as they did at the beginning."""
        moody = self.wanted[MOODY]
        self.wanted[MOODY] = msgspec.structs.replace(moody, params={}, role="trade")
        for _ in range(LIVES):
            self._hear()
            if self._asked is None and not self._next():
                return
            step()
        raise AssertionError(f"not all strategies came back: {self._books().latches}")

    def _next(self) -> bool:
        books = self._books()
        for name, offer in self.wanted.items():
            if name == MOODY and not self._often:
                continue
            if books.loaded.get(name) != offer or self._stand.offers.get(name) != offer:
                self._offer(name, offer)
                return True
            if name in books.latches:
                self._ask(name, offer, "resume", name)
                return True
        return False

    def _another(self, name: str) -> Offer:
        offer = self._stand.offers.get(name, self.wanted[name])
        match self._chance.randrange(6):
            case 0:
                return msgspec.structs.replace(offer, role="shadow")
            case 1:
                return msgspec.structs.replace(offer, role="trade")
            case 2:
                return msgspec.structs.replace(offer, budget=offer.budget * 1.25)
            case 3 if name in {MOODY, "restless"}:
                return sourced(offer, self._chance.choice((ANOTHER, BROKEN)))
            case 4 if name in {MOODY, "restless"}:
                return msgspec.structs.replace(offer, params={**offer.params, "much": 0.5})
            case 5:
                return msgspec.structs.replace(offer, files=(), trouble="there is no such file")
            case _:
                return self.wanted[name]

    def _offer(self, name: str, offer: Offer) -> None:
        self._ask(name, offer, "offer", msgspec.json.encode(offer).decode())

    def _ask(self, name: str, offer: Offer | None, verb: str, word: str) -> None:
        place = self._stand.lives["engine"].place
        self._asked = (place, len(place.answers), name, self._stand.offers.get(name))
        self._write(name, offer)
        self._stand.ask("engine", verb, word, "because")

    def _write(self, name: str, offer: Offer | None) -> None:
        if offer is None:
            self._stand.offers.pop(name, None)
        else:
            self._stand.offers[name] = offer

    def _hear(self) -> None:
        if self._asked is None:
            return
        place, count, name, before = self._asked
        answers = place.answers[count:]
        life = self._stand.lives.get("engine")
        if not answers and life is not None and life.place is place:
            return
        self._asked = None
        kept = answers[0].ok if answers else self._chance.random() < 0.7
        if not kept:
            self._write(name, before)

    def _books(self) -> Books:
        books: Books = self._stand.engine().state.books
        return books
