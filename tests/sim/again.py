"""Holds the engine that ran against its journals: what may have been said, and what it remembers.

Three ways lead to the same books: to have lived, to run the recorded turns again, to fold.
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
from services.engine.state import Books
from tests.sim.stand import WORLD, Stand, Tail

INTENT = STREAMS["engine.intent"]


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
    _assert_same(_without_ended(lived.state.books), _without_ended(folded.state.books))


def _without_ended(books: Books) -> Books:
    # When one that has ended is forgotten hangs on when it was heard of, not on when it ended.
    orders = {key: order for key, order in books.orders.items() if not order.place.terminal}
    return msgspec.structs.replace(books, orders=orders)


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


def _assert_same(lived: msgspec.Struct, other: msgspec.Struct) -> None:
    for name in lived.__struct_fields__:
        one, two = (msgspec.to_builtins(getattr(struct, name)) for struct in (lived, other))
        assert _sorted(one) == _sorted(two), f"{name}: lived - journals +\n" + _difference(one, two)


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
