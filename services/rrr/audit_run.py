"""One audit: all that is asked, read, folded and compared, as a list of checks."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from bus.clock import Clock
from bus.house import House
from bus.journal import open_reader
from services.rrr import audit_causes, audit_rows, audit_services, audit_venue
from services.rrr.audit_fold import Fold
from services.rrr.audit_read import Asked, Opens, Passed, prove, read_all
from services.rrr.digging import directory_of

LAWS = {
    "approvals": "every order left with one approval of exactly its hash, in time",
    "ids": "no id was ever used twice",
    "states": "every order went the way of the table",
    "quantities": "filled, left and gone come to what was ordered",
    "trades": "no trade was booked twice",
    "double-entry": "debits and credits are equal, and each fill's money is price times quantity",
    "causes": "intent, verdict, order and fill follow each other without a gap",
    "answers": "every approval was answered",
    "kill": "nothing that adds risk left under a kill level or a halt",
    "risk-state": "risk approved nothing that adds risk while it was not ACTIVE",
    "engine-said": "each position that the engine told is the sum of its fills",
    "snapshots": "each account that the gateway told is the fold of what was before it",
    "venue-seen": "each balance that the gateway saw is the fold, or was explained by a person",
}
"""What each check of the journals alone means when it holds."""

ROWS = ("shard orders", "shard trades", "shard ledger")
SHOWN = 20
RETRY_NS = 10_000_000_000
RETRY_MS = 300


class Check(msgspec.Struct):
    """One thing that was looked at; `detail` says what holds, or what does not and where."""

    name: str
    ok: bool
    detail: str


class Report(msgspec.Struct):
    """All checks; `behind` names what could not be compared because it never stood still."""

    checks: list[Check]
    behind: list[str]
    faults: dict[str, list[str]]

    @property
    def ok(self) -> bool:
        """Whether nothing differs."""
        return all(check.ok for check in self.checks)


class Found(msgspec.Struct):
    """All that one pass has brought together."""

    fold: Fold
    asked: Asked
    claims: list[audit_services.Claim]
    shard: audit_rows.Shard
    venue: audit_venue.Venue


def run(house: House, clock: Clock, passed: Passed, *, running: bool = False) -> Report:
    """Audit a house; what only lags behind is looked at again for a while."""
    until_ns = clock.mono_ns() + RETRY_NS
    while True:
        with _nothing_to_collect():
            found = _pass(house, clock, passed)
        report = _report(found, running=running)
        moving = [check for check in report.checks if check.name == "venue" and not check.ok]
        if not moving or not _alive(found, "gateway") or clock.mono_ns() > until_ns:
            return report
        clock.pause_ms(RETRY_MS)  # A fill may be on its way between the two.


@contextmanager
def _nothing_to_collect() -> Iterator[None]:
    # Millions of records are kept and none makes a circle: to look for them costs half the time.
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _pass(house: House, clock: Clock, passed: Passed) -> Found:
    venue = _venue_of(house)
    shard = audit_rows.read_shard(house.db_dir, clock)
    told = audit_services.claims(house.run, clock)
    cuts: dict[int, list[Callable[[Fold], None]]] = {}
    for claim in told:
        if not claim.why_not:
            cuts.setdefault(claim.pos, []).append(audit_services.cut_of(claim))
    if not shard.why_not:
        cuts.setdefault(shard.pos, []).append(audit_rows.cut_of(shard))
    fold = Fold()
    asked = read_all(_opens(house), fold, {at: _all(cut) for at, cut in cuts.items()}, passed)
    prove(house.journal_dir, asked, passed)
    audit_causes.hold(fold, asked)
    return Found(fold, asked, told, shard, venue)


def _opens(house: House) -> Opens:
    return lambda stream: open_reader(directory_of(house.journal_dir, stream), stream)


def _venue_of(house: House) -> audit_venue.Venue:
    if house.described.mode not in {"local", "paper"}:
        return audit_venue.Venue(why_not="it is told by the balances that the gateway saw")
    return audit_venue.read_venue(_world_dir(house))


def _world_dir(house: House) -> Path:
    return house.journal_dir.parent


def _all(cuts: list[Callable[[Fold], None]]) -> Callable[[Fold], None]:
    def each(fold: Fold) -> None:
        for cut in cuts:
            cut(fold)

    return each


def _alive(found: Found, name: str) -> bool:
    return any(claim.service == name and not claim.why_not for claim in found.claims)


def _report(found: Found, *, running: bool) -> Report:
    report = Report([], [], {})
    fold, asked = found.fold, found.asked
    whole = f"{fold.records + asked.records} records of the order path, gapless and chained"
    _add(report, "journals", asked.faults, whole)
    for name, text in LAWS.items():
        _add(report, name, fold.faults.get(name, []), text)
    for claim in found.claims:
        _add_claim(report, claim, running=running)
    _add_shard(report, found)
    _add_venue(report, found)
    return report


def _add(report: Report, name: str, faults: list[str], text: str) -> None:
    told = "; ".join(faults[:SHOWN])
    if len(faults) > SHOWN:
        told += f"; and {len(faults) - SHOWN} more"
    report.faults[name] = faults
    report.checks.append(Check(name, not faults, told or text))


def _add_claim(report: Report, claim: audit_services.Claim, *, running: bool) -> None:
    if not claim.why_not:
        _add(report, claim.service, claim.differences, "its books are the fold, to the last unit")
        return
    if claim.behind:
        report.behind.append(claim.service)
    away = claim.why_not == audit_services.AWAY
    _add(report, claim.service, [claim.why_not] if running or not away else [], claim.why_not)


def _add_shard(report: Report, found: Found) -> None:
    shard = found.shard
    if shard.behind:
        report.behind.append("shard")
    if shard.why_not:
        none = not found.fold.records
        faults = [] if none or shard.behind else [shard.why_not]
        _add(report, "shard", faults, shard.why_not)
        return
    for name in ROWS:
        _add(report, name, shard.differences.get(name, []), "its rows are the fold")
    said = audit_rows.positions(shard, found.asked)
    _add(report, "shard positions", said, "its rows are what the engine said last")


def _add_venue(report: Report, found: Found) -> None:
    venue, gateway = found.venue, _alive(found, "gateway")
    if venue.why_not:
        _add(report, "venue", [], venue.why_not)
        return
    faults, news = audit_venue.compare(venue, found.fold, gateway=gateway)
    waits = f"the gateway is down, and has yet to hear of: {'; '.join(news[:SHOWN])}"
    _add(report, "venue", faults, waits if news else "its orders, trades and balances are the fold")
