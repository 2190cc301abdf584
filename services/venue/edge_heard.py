"""The venue's server where the market is a real one: orders meet what ingest says of it.

It answers nobody before it heard what the exchange lists. Who asks for an order never hears that
there is no such symbol: one that is not listed any more is closed, and its orders can be cancelled.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from bus.clock import Clock
from bus.house import House
from bus.service import Bridge
from schema.head import Effect, Local
from schema.units import MS_NS
from services.venue import HEARS
from services.venue.account import Terms
from services.venue.bystander import Bystander
from services.venue.ear import FRESH_MS, Print
from services.venue.edge import FREE, Exchange, terms_of
from services.venue.effects import Attend, Follow, Followed
from services.venue.heard import Heard
from services.venue.ledger import ledger_path
from services.venue.passage import Passage, kept_records, passage
from services.venue.store import open_log
from services.venue.teller import Teller

LOOK_S = 0.02
MARK_MS = 10_000
"""After a kill what was heard is matched anew from the last mark on, so it is not far back."""


def open_listener(house: House, clock: Clock) -> tuple["Listener", Passage]:
    """Return the exchange that hears, and from where on; it goes on where its account ends."""
    path, settings, now_ns = ledger_path(house.world_dir), house.settings, clock.market_ns()
    records = kept_records(path.parent)
    market = Heard(now_ns // MS_NS, records.marks, records.traded())
    edge = Listener(market, settings.ports.venue, path, now_ns, terms_of(settings.venue))
    return edge, passage(house.journal_dir, records, HEARS)


class Listener(Exchange):
    """Serves one account beside a market that it hears."""

    def __init__(
        self, market: Heard, port: int, path: Path, first_ns: int, terms: Terms = FREE
    ) -> None:
        super().__init__(market, port, path, first_ns, terms)
        self._heard = market
        self._desk = Bystander(market, terms)

    def _opened(self, path: Path) -> Teller:
        log, records = open_log(path)
        self._desk = Bystander(self._heard, self._terms, self._at_ms, records)
        if records is None:
            log.append(self._desk.records.drain())
        return Teller(self._desk, log, self._faults, MARK_MS)

    async def _known(self, bridge: Bridge) -> None:
        while not self._heard.told:
            bridge.ready(f"it waits for what ingest says that the exchange lists{self._why()}")
            await asyncio.sleep(LOOK_S)

    async def perform(self, effect: Effect) -> Local:
        match effect:
            case Follow():
                now_ms = max(self._now_ms(), self._at_ms + 1)
                found = self._heard.take(effect.said, self._said_ms(effect), now_ms)
                return self._matched(effect, found)
            case Attend():
                return self._matched(effect, self._heard.attend(effect.why_not))
            case _:
                return await super().perform(effect)

    def _said_ms(self, effect: Follow) -> int:
        # After a wall clock was set back, what is written down is ahead of all that is said.
        said_ms, now_ms = effect.said_ns // MS_NS, self._now_ms()
        if self._desk.at_ms <= now_ms or now_ms - said_ms > FRESH_MS:
            return said_ms
        return self._desk.at_ms + 1

    def _matched(self, effect: Follow | Attend, prints: Sequence[Print]) -> Followed:
        # Nothing here waits, so what is written down of a print stands beside what came of it.
        self._desk.hear(prints)
        if isinstance(effect, Follow) and not self._heard.holding:
            self._desk.records.cursors.update(effect.cursors)
        self._tick()
        closed = len(self._heard.closed())
        is_open = self._heard.open
        why = self._why().removeprefix(": ")
        return Followed(effect_id=effect.effect_id, open=is_open, closed=closed, why=why)

    def _why(self) -> str:
        first = next(iter(self._heard.closed().items()), None)
        return f": {first[0]}: {first[1]}" if first else ""
