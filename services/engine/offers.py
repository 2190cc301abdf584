"""Which strategies run: what the settings offer at a start, and what a person offers later.

A new source takes the place of the old one between two inputs; where it does not load, or does not
understand what the old one remembers, the old one runs on.
"""

import msgspec

from bus.service import Said
from schema.identity import strategy_tag
from schema.strategy import (
    Offer,
    StrategiesOffered,
    StrategyFell,
    StrategyLoaded,
    StrategyRetired,
)
from services.engine.boundary import DEATHS, Failure, Guard, Overran
from services.engine.deciding import failed_of, fell_key
from services.engine.line import Pass
from services.engine.loading import LoadError
from services.engine.orders import orders_of, slots_of
from services.engine.roster import FAILED, casts_of
from services.engine.sizing import least_lots
from services.engine.state import Slot
from services.engine.worth import held_of

ARM = "arm"
"""The timer that sets those of the strategies, once they are loaded."""


def begin(turn: Pass, guard: Guard, message: StrategiesOffered) -> None:
    """Take what the settings name; retire what they name no more."""
    books, deaths = turn.books, dict(message.deaths)
    turn.windows.unloaded.clear()
    for offer in message.offers:
        if deaths.get(offer.name, 0) >= DEATHS:
            _bury(turn, offer, deaths[offer.name])
        elif offer != books.loaded.get(offer.name):
            _renew(turn, guard, offer)
    offered = {offer.name for offer in message.offers}
    for name in [name for name in books.loaded if name not in offered]:
        reason = "the settings do not name it"
        turn.said.append(StrategyRetired(ts_event=turn.now_ns, strategy=name, reason=reason))
    turn.wake(ARM, turn.now_ns)


def _renew(turn: Pass, guard: Guard, offer: Offer) -> None:
    why_not = obstacle(turn, guard, offer)
    if not why_not:
        turn.said.append(_loaded(turn, offer, "settings", "it is new, or another, at a start"))
        return
    turn.windows.unloaded[offer.name] = why_not
    if offer.name not in turn.books.loaded and offer.name not in turn.books.latches:
        failure = Failure("it could not be loaded", why_not)
        turn.said.append(failed_of(turn, offer.name, failure))


def _bury(turn: Pass, offer: Offer, count: int) -> None:
    latch = turn.books.latches.get(offer.name)
    if latch is None or latch.what != FAILED:
        failure = Failure("the engine died in it", f"{count} times, one after the other")
        turn.said.append(failed_of(turn, offer.name, failure))
    if offer != turn.books.loaded.get(offer.name):
        why = f"the engine died in it: `rrr strategy reload {offer.name}` takes what is there now"
        turn.windows.unloaded[offer.name] = why


def obstacle(turn: Pass, guard: Guard, offer: Offer) -> str:
    """Return why an offer cannot be taken; nothing when it can."""
    if offer.trouble:
        return offer.trouble
    if unknown := [symbol for symbol in offer.symbols if symbol not in turn.terms.symbols]:
        known = " ".join(turn.terms.symbols)
        return f"{' '.join(unknown)}: this house does not hear of it; it hears of {known}"
    if other := _twin(turn, offer):
        return f"its orders would carry the tag of `{other}`: choose another name"
    return _tried(turn, guard, offer) or _held_back(turn, offer)


def _twin(turn: Pass, offer: Offer) -> str:
    # The settings refuse this of two that they name; one that is gone may still hold something.
    tag = strategy_tag(offer.name)
    others = (name for name in turn.names if name != offer.name and strategy_tag(name) == tag)
    return next(others, "")


def _tried(turn: Pass, guard: Guard, offer: Offer) -> str:
    # Importing is calling: it may hang or end the process, and comes out the same when run again.
    moment = f"load {offer.digest}"
    key = fell_key(offer.name, "", moment)
    if key in turn.windows.fell:
        return turn.windows.fell.pop(key)[1]
    why = _why_not(turn, guard, offer)
    if not why:
        return ""
    turn.said.append(
        StrategyFell(
            strategy=offer.name,
            symbol="",
            moment=moment,
            reason="it could not be loaded",
            detail=why,
        )
    )
    return why


def _why_not(turn: Pass, guard: Guard, offer: Offer) -> str:
    try:
        casts_of(guard, offer, turn.books.memory)
    except LoadError as error:
        return error.what
    except (Overran, MemoryError, RecursionError) as error:
        return f"it did not load: {type(error).__name__}: {error}"
    return ""


def take(turn: Pass, guard: Guard, text: str, by: str, why: str) -> tuple[list[Said], str]:
    """Take an offer of a person's; return what is said, and why not when nothing is."""
    try:
        offer = msgspec.json.decode(text, type=Offer)
    except msgspec.MsgspecError as error:
        return [], f"the offer is none: {error}"
    if why_not := obstacle(turn, guard, offer):
        return turn.said, why_not
    turn.windows.unloaded.pop(offer.name, None)
    turn.wake(ARM, turn.now_ns)
    return [*turn.said, _loaded(turn, offer, by, why)], ""


def _held_back(turn: Pass, offer: Offer) -> str:
    if turn.shadows(offer.name):
        return ""
    holds = [slot.symbol for slot in slots_of(turn.books, offer.name) if _is_at_work(turn, slot)]
    if offer.role != "shadow":
        holds = [symbol for symbol in holds if symbol not in offer.symbols]
    if not holds:
        return ""
    why = "a shadow holds nothing" if offer.role == "shadow" else "it would trade it no more"
    return (
        f"{offer.name} holds {' '.join(holds)}, and {why}: "
        f'first `rrr strategy pause {offer.name} "why" --close`'
    )


def _is_at_work(turn: Pass, slot: Slot) -> bool:
    orders = orders_of(turn.books, slot.strategy, slot.symbol).values()
    if slot.qty or any(not order.place.terminal for order in orders):
        return True
    instrument = turn.windows.instruments.get(slot.symbol)
    if instrument is None:
        return False
    return held_of(turn, slot, instrument, least_lots(instrument, 0)) != 0


def _loaded(turn: Pass, offer: Offer, by: str, why: str) -> StrategyLoaded:
    return StrategyLoaded(ts_event=turn.now_ns, strategy=offer.name, offer=offer, by=by, reason=why)
