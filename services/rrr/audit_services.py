"""What the services that run say of their books, each at the place where those books stand."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from bus.clock import Clock
from bus.errors import UnreachableError
from bus.wire import socket_path
from schema.house import Heartbeat
from schema.streams import STREAMS
from services.rrr.asking import asked
from services.rrr.audit_fold import Fold
from services.rrr.audit_known import CLOSER
from services.rrr.audit_money import atoms_of, text_of
from services.rrr.audit_read import ORDER

KEEPERS = ("engine", "risk", "gateway")
"""Who keeps books of the account, each its own way."""

AWAY = "not running"
WAIT_NS = 10_000_000_000
PAUSE_MS = 50

_beat = msgspec.msgpack.Decoder(Heartbeat)


class Claim(msgspec.Struct):
    """A service's books, and the position of `gateway.order` behind which they stand."""

    service: str
    pos: int = 0
    balances: dict[str, str] = {}
    positions: dict[str, dict[str, str]] = {}
    orders: dict[str, dict[str, str]] = {}
    level: str = ""
    flaws: list[str] = []  # where its books are no account, by its own look
    why_not: str = ""  # why there is none
    behind: bool = False  # it runs, and never stood still
    differences: list[str] = []


class Told(msgspec.Struct):
    """The body of an answer."""

    balances: dict[str, str]
    positions: dict[str, dict[str, str]]
    orders: dict[str, dict[str, str]]
    level: str = ""
    flaws: list[str] = []


def claims(run: Path, clock: Clock, wait_ns: int = WAIT_NS) -> list[Claim]:
    """Return what each keeper of books says of them."""
    return [_claim(run, name, clock, wait_ns) for name in KEEPERS]


def _claim(run: Path, name: str, clock: Clock, wait_ns: int) -> Claim:
    if not socket_path(run, name, "ctl").exists():
        return Claim(name, why_not=AWAY)
    deadline_ns = clock.mono_ns() + wait_ns
    try:
        while True:
            before, done, after = _place(run, name), asked(run, name, "audit"), _place(run, name)
            if not done.ok:
                return Claim(name, why_not=f"it does not tell its books: {done.text}")
            if before == after:
                return claim_of(name, after, msgspec.json.decode(done.body, type=Told))
            if clock.mono_ns() > deadline_ns:
                text = f"it moved from {before} to {after} of {ORDER} at every look"
                return Claim(name, why_not=text, behind=True)
            clock.pause_ms(PAUSE_MS)
    except UnreachableError:
        return Claim(name, why_not=AWAY)
    except msgspec.MsgspecError as error:
        return Claim(name, why_not=f"its answer is of other code: {error}")


def claim_of(name: str, pos: int, told: Told) -> Claim:
    """Return what a service has told, as it stood behind a position."""
    return Claim(name, pos, **msgspec.structs.asdict(told))


def _place(run: Path, name: str) -> int:
    """Return up to where a service has taken the gateway's word into its books."""
    heartbeat = _beat.decode(asked(run, name, "status").body)
    places = heartbeat.last if name == "gateway" else heartbeat.cursors
    return dict(places).get(STREAMS[ORDER].number, 0)


def cut_of(claim: Claim) -> Callable[[Fold], None]:
    """Return what holds a claim against the fold, once that stands at the claim's place."""

    def compare(fold: Fold) -> None:
        claim.differences = _differences(claim, fold)

    return compare


def _differences(claim: Claim, fold: Fold) -> list[str]:
    money = fold.money
    ours = money.whole() if claim.service == "gateway" else money.balances
    found = [f"books do not add up: {flaw}" for flaw in claim.flaws]
    found += _apart("balance of", claim.balances, ours)
    for name in ("qty", "cost", "realized", "fees", "funding"):
        ours = {symbol: book[name] for symbol, book in money.held.items()}
        theirs = {symbol: row[name] for symbol, row in claim.positions.items() if name in row}
        if theirs or name == "qty":
            found += _apart(f"{name} of", theirs, ours)
    found += _orders_apart(claim, fold)
    if claim.level and claim.level != fold.level.level:
        found.append(f"kill level: {claim.service} {claim.level}, journal {fold.level.level}")
    return [f"{text}, behind {ORDER} {claim.pos}" for text in found]


def _apart(what: str, theirs: Mapping[str, str], ours: Mapping[str, int]) -> list[str]:
    found = []
    for key in sorted({*theirs, *ours}):
        text = theirs.get(key, "0")
        try:
            n = atoms_of(text)
        except ValueError as error:
            found.append(f"{what} {key}: {error}")
            continue
        if n != ours.get(key, 0):
            found.append(f"{what} {key}: {text} in its books, {text_of(ours.get(key, 0))} here")
    return found


def _orders_apart(claim: Claim, fold: Fold) -> list[str]:
    ours = fold.open_orders()
    found = [f"order {key}: open in its books, not here" for key in claim.orders if key not in ours]
    for key, known in ours.items():
        row: dict[str, Any] = claim.orders.get(key, {})
        if not row and claim.service == "engine" and known.strategy == CLOSER:
            continue  # The engine wanted none of those.
        if not row:
            found.append(f"order {key}: {known.state} here, not in its books")
        elif left := _left_apart(row, known.left):
            found.append(f"order {key}: {left}")
        elif row.get("state", known.state) != known.state:
            found.append(f"order {key}: {row['state']} in its books, {known.state} here")
    return found


def _left_apart(row: Mapping[str, Any], ours: int) -> str:
    text = row.get("left")
    try:
        if isinstance(text, str) and atoms_of(text) == ours:
            return ""
    except ValueError as error:
        return str(error)
    return f"{text} of it is left in its books, {text_of(ours)} here"
