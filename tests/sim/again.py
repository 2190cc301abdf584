"""Holds the engine that ran against its journals: what was said, and what it remembers.

Three ways lead to the same strategies: to have lived, to run the turns again, to fold.
"""

from difflib import unified_diff
from pprint import pformat

import msgspec

from bus.memory import MemoryJournals
from bus.recovery import Recovery, recover
from schema.strategy import ShadowFill, StrategyLoaded, StrategyRetired
from schema.streams import STREAMS
from schema.trading import OrderIntent
from services.engine.boundary import Bare
from services.engine.core import Engine
from services.engine.state import Books, Order
from tests.sim.lives import Tail
from tests.sim.stand import WORLD, Stand

INTENT = STREAMS["engine.intent"]

SAME_FOLDED = ("loaded", "memory", "latches", "locks", "shadow", "halted", "kill", "risk")
"""A fold goes by when something was said, a life by when it was heard: whose part FLATTEN closed
first, or what a target was when an order ended, may differ."""


def check_past(stand: Stand) -> None:
    """Assert what holds of a whole day."""
    check_roles(stand)
    before = stand.journals.load_snapshot("engine")
    life = stand.lives["engine"]
    life.runner.snapshot()  # With it, all that was heard is on the record.
    lived = stand.engine()
    if before is not None and not stand.moody:
        again, recovery = _second(stand, before, "")
        if recovery.grade == "exact":
            _assert_same(lived.state.books, again.state.books)
            _assert_same(lived.state.windows, again.state.windows)
    if stand.clock.went_back:
        return  # Between streams the wall clock decides what was first.
    folded, recovery = _second(stand, None, "told to")
    assert recovery.grade == "folded"
    one, two = lived.state.books, folded.state.books
    _assert_same(one, two, SAME_FOLDED)
    _assert_same(one.ledger, two.ledger, ("balances", "seen", "fills", "moves"))
    assert _open(one) == _open(two)


def _open(books: Books) -> dict[str, Order]:
    return {key: order for key, order in books.orders.items() if not order.place.terminal}


def check_roles(stand: Stand) -> None:
    """Assert that nobody entered who was dropped, and that no shadow ordered anything."""
    roles: dict[str, str] = {}
    for message in Tail(stand.journals.reader(INTENT)).news():
        match message:
            case StrategyLoaded(strategy=name, offer=offer):
                roles[name] = offer.role
            case StrategyRetired(strategy=name):
                roles.pop(name, None)
            case OrderIntent(strategy=name, leg=leg):
                role = roles.get(name, "")
                assert role == "trade" or (not role and leg != "entry"), (role, message)
            case ShadowFill(strategy=name):
                assert roles.get(name) == "shadow", message


def _second(stand: Stand, snapshot: bytes | None, fold: str) -> tuple[Engine, Recovery]:
    """Return an engine that is made of the journals alone, from a snapshot on."""
    engine, journals = Engine(stand.settings, WORLD, Bare()), MemoryJournals(stand.clock)
    journals.tapes, journals.boot_id = stand.journals.tapes, stand.journals.boot_id
    if snapshot is not None:
        journals.save_snapshot("engine", snapshot)
    own = [stream for stream in STREAMS.values() if stream.owner == "engine" and stream.journaled]
    rules = stand.lives["engine"].runner.pulse.rules
    recovery = recover(engine, own, journals, rules, lambda: None, fold)
    return engine, recovery


def _assert_same(lived: msgspec.Struct, other: msgspec.Struct, names: tuple[str, ...] = ()) -> None:
    for name in names or lived.__struct_fields__:
        one, two = (msgspec.to_builtins(getattr(struct, name)) for struct in (lived, other))
        assert _sorted(one, name) == _sorted(two, name), (
            f"{name}: lived - journals +\n" + _difference(one, two)
        )


def _sorted(value: object, name: str = "") -> object:
    """Return a value with what was a set in order."""
    if not isinstance(value, dict):
        return value
    if name == "seen":
        return {key: sorted(ids) for key, ids in value.items()}
    return {key: _sorted(inner, key) for key, inner in value.items()}


def _difference(one: object, two: object) -> str:
    here, there = (pformat(_sorted(value), width=200).splitlines() for value in (one, two))
    return "\n".join(unified_diff(here, there, lineterm="", n=0))
