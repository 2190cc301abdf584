"""What a person makes of the limits: set, unset, cancelled, and what waits for its time.

A change stands on `risk.event`, holds over the settings until it is unset, and survives a restart.
What lets less happen holds at once. What lets more happen waits ten minutes in live mode, and until
then can be cancelled; the wake that it asks for says the change anew, and then it holds.
"""

from collections.abc import Iterator, Mapping

import msgspec

from schema.head import Message
from schema.house import Command, Wake
from schema.trading import LimitChanged
from services.risk.money import Limits
from services.risk.standing import ACCOUNT, key_of
from services.risk.state import Books, Change
from services.risk.terms import lets_more, parsed, term_of

WAKE = "limits"
USAGE = {
    "set": "set NAME VALUE SCOPE WHY, the scope being a symbol, a strategy or nothing",
    "unset": "unset NAME SCOPE WHY",
    "cancel": "cancel NAME SCOPE WHY",
}
LENGTHS = {"set": 4, "unset": 3, "cancel": 3}


class Wish(msgspec.Struct, frozen=True):
    """What a person wants of one limit; ValueError says what is wrong with it."""

    verb: str
    name: str
    scope: str
    value: str
    by: str
    why: str

    @property
    def key(self) -> str:
        return key_of(self.name, self.scope or ACCOUNT)


def wish_of(command: Command) -> Wish:
    """Return what a command asks for; ValueError for what no limit takes."""
    verb, args = command.verb, command.args
    if len(args) != LENGTHS[verb] or not args[-1].strip():
        raise ValueError(f"expected {USAGE[verb]}")
    name, scope, why = args[0], args[-2], args[-1]
    term = term_of(name, scope)
    value = parsed(term, args[1]) if verb == "set" else ""
    return Wish(verb, name, scope, value, command.by, why)


def change(
    wish: Wish, books: Books, limits: Limits, settled: Mapping[str, str], now_ns: int
) -> LimitChanged:
    """Return what is said of a wish; ValueError where there is nothing to change.

    `settled` is what the settings say.
    """
    slot = books.changes.get(wish.key, Change())
    before = limits.text.get(wish.key, "")
    if wish.verb == "set":
        _require_lower(wish, limits)
        return _changed(wish, before, wish.value, limits, now_ns)
    if wish.verb == "cancel":
        if slot.pending is None:
            raise ValueError(f"nothing of {wish.key} waits: there is nothing to cancel")
        unset = slot.current is None
        said = _said(wish, slot.pending.after, before, now_ns)
        return msgspec.structs.replace(said, unset=unset)
    if slot.current is None and slot.pending is None:
        raise ValueError(f"{wish.key} is as the settings say: there is nothing to unset")
    said = _changed(wish, before, settled.get(wish.key, ""), limits, now_ns)
    return msgspec.structs.replace(said, unset=True)


def _require_lower(wish: Wish, limits: Limits) -> None:
    term = term_of(wish.name, wish.scope)
    common = limits.text.get(wish.name, "")
    if wish.scope and not term.alone and lets_more(term, common, wish.value):
        raise ValueError(
            f"{wish.name} is {common} for all, so {wish.value} for {wish.scope} would change "
            "nothing: expected less"
        )


def _changed(wish: Wish, before: str, after: str, limits: Limits, now_ns: int) -> LimitChanged:
    said = _said(wish, before, after, now_ns)
    term = term_of(wish.name, wish.scope)
    if limits.raise_ns and lets_more(term, before, after):
        return msgspec.structs.replace(said, effective_ns=now_ns + limits.raise_ns)
    return said


def _said(wish: Wish, before: str, after: str, now_ns: int) -> LimitChanged:
    return LimitChanged(
        ts_event=now_ns,
        limit_name=wish.name,
        scope=wish.scope or ACCOUNT,
        before=before,
        after=after,
        by=wish.by,
        reason=wish.why,
    )


def fold_change(books: Books, message: LimitChanged) -> None:
    """Book a change: it waits, it holds, or what the settings say holds again."""
    key = key_of(message.limit_name, message.scope)
    slot = books.changes.setdefault(key, Change())
    if message.effective_ns > message.ts_event:
        slot.pending = message
        return
    slot.pending = None
    if message.unset:
        slot.current = None
    elif slot.current is None or slot.current.after != message.after:
        slot.current = message
    if slot.current is None:
        del books.changes[key]


def texts_of(books: Books) -> dict[str, str]:
    """Return what a person has set, by limit."""
    return {key: one.current.after for key, one in books.changes.items() if one.current is not None}


def due(books: Books, now_ns: int) -> Iterator[Message]:
    """Yield every change whose time has come, as one that holds from now on."""
    for slot in list(books.changes.values()):
        if slot.pending is not None and slot.pending.effective_ns <= now_ns:
            yield msgspec.structs.replace(
                slot.pending, ts_event=now_ns, effective_ns=0, trace=0, cause=(0, 0)
            )


def wakes(books: Books, said: LimitChanged | None = None, after_ns: int = 0) -> list[Wake]:
    """Return when the next change after a time holds, counting one that is being said."""
    times_ns = [one.pending.effective_ns for one in books.changes.values() if one.pending]
    times_ns = [at_ns for at_ns in times_ns if at_ns > after_ns]
    if said is not None and said.effective_ns:
        times_ns.append(said.effective_ns)
    return [Wake(name=WAKE, at_ns=min(times_ns))] if times_ns else []
