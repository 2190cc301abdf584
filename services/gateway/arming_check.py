"""What live trading asks for before it is armed, in the order in which a person mends it."""

from collections.abc import Iterator

from schema.exchange import Requirement
from schema.lifecycle import State
from schema.settings_risk import MONEY_MOST
from schema.units import MINUTE_NS, to_text
from services.gateway.arming_conditions import PEERS, judged, lasting
from services.gateway.state import Order
from services.gateway.stops import adopt_command, resolve_command
from services.gateway.times import skewed
from services.gateway.turn import Turn

DOUBT_MAX_NS = MINUTE_NS
UNLIMITED = MONEY_MOST
"""A limit of money that is none."""


def all_of(turn: Turn) -> list[Requirement]:
    """Return every condition that the gateway can judge."""
    return [*_of_house(turn), *lasting(turn), *_of_account(turn), *_of_trading(turn)]


def _of_house(turn: Turn) -> Iterator[Requirement]:
    account = turn.rules.account
    other = "" if turn.rules.needs_arm else "this house does not trade real money"
    yield judged("mode", "live", other, 'set mode = "live" in settings.local.toml')
    yield judged("account", account, "" if account else "it has no name", "set `exchange.account`")
    scale = turn.windows.clock.scale if turn.windows.clock is not None else 1.0
    wrong = "" if scale == 1.0 else f"a second of the market takes 1/{scale:g} of a second"
    yield judged("clock scale", "1", wrong, "set `clock.scale` to 1")


def _of_account(turn: Turn) -> Iterator[Requirement]:
    windows, books = turn.windows, turn.books
    wait = "wait; `rrr logs gateway` says more"
    yield judged("exchange clock", "it agrees with ours", skewed(windows) or "", wait)
    stream = "" if windows.stream else "the user stream does not stand"
    nothing = "" if windows.instruments else "no instrument is known yet"
    yield judged("exchange", "its streams stand", stream or nothing, wait)
    unlike = windows.reconcile or ("" if windows.reconciled else "it was not done yet")
    pending = "" if windows.reconciled and not windows.cycle else unlike
    yield judged("reconciled", "orders and trades are the exchange's", pending, wait)
    off = [name for name, amount in books.differences.items() if amount.n]
    told = ", ".join(
        f"{to_text(books.differences[a].n, books.differences[a].exp)} {a}" for a in off
    )
    todo = adopt_command(turn, off[0]) if off else ""
    yield judged("balances", "each is explained", f"{told} unexplained" if off else "", todo)
    doubts = [one for one in books.open.values() if _is_old_doubt(turn, one)]
    failure = f"{len(doubts)} orders have been in doubt for a minute" if doubts else ""
    yield judged(
        "orders", "none is in doubt", failure, resolve_command(doubts[0]) if doubts else ""
    )


def _is_old_doubt(turn: Turn, order: Order) -> bool:
    is_unsure = order.place.state is State.UNCONFIRMED
    return is_unsure and turn.now_ns - order.submitted_ns > DOUBT_MAX_NS


def _of_trading(turn: Turn) -> Iterator[Requirement]:
    books, risk, contracts = turn.books, turn.windows.risk, turn.windows.contracts
    level = "" if books.level == "ACTIVE" else f"{books.level} by {books.killed.by}"
    yield judged("kill level", "ACTIVE", level, 'rrr resume "why"')
    unheard = [name for name in PEERS if name not in contracts]
    failure = risk or (f"{' '.join(unheard)}: not heard yet" if unheard else "")
    yield judged("traders", "ingest, risk and engine are there", failure, "rrr status")
    own = turn.rules.own
    sizes = (own.max_order_notional, own.max_notional_rate)
    loose = "" if max(sizes) < UNLIMITED else "the last gate has no limit on money"
    yield judged("last gate", "it has limits", loose, "set those of [gateway]")
