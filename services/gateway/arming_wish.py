"""What a person says of live trading: looked at, armed for a while, disarmed.

The gateway looks at every condition itself, whatever whoever asks has looked at before.
"""

import msgspec

from schema.exchange import Requirement
from schema.house import Command, CommandDone
from schema.orders import LiveArmed
from schema.units import DAY_NS, SECOND_NS, iso
from services.gateway import arming, arming_check, disarming
from services.gateway.state import ARM_MAX_NS
from services.gateway.turn import Turn

VERBS = ("live", "arm", "arm-look", "disarm")
DAYS_MAX = ARM_MAX_NS // DAY_NS


class Wish(msgspec.Struct, forbid_unknown_fields=True):
    """For which account, for how long, and why."""

    account: str
    for_s: int
    why: str


class Standing(msgspec.Struct):
    """How live trading stands: by whom it is armed and until when, and every condition."""

    armed: bool
    until: str
    account: str
    by: str
    why: str
    hindrance: str
    conditions: list[Requirement]


def obey(turn: Turn, asked: Command) -> CommandDone:
    """Return the answer to a wish, with what it says said."""
    match asked.verb, asked.args:
        case "live", _:
            return _done(asked, "", msgspec.json.encode(_standing(turn)))
        case "arm" | "arm-look", (text,):
            return _arm(turn, asked, text)
        case "disarm", (why,) if why.strip():
            return _disarm(turn, asked, why.strip())
    return _refused(asked, ["expected one wish, as JSON, or the reason of a disarm"])


def _standing(turn: Turn) -> Standing:
    arm = turn.books.arm
    return Standing(
        armed=turn.rules.needs_arm and arming.is_armed(turn),
        until=iso(arm.until_ns) if arm.until_ns else "",
        account=turn.rules.account,
        by=arm.told.by,
        why=arm.told.why,
        hindrance=arming.hindrance(turn),
        conditions=arming_check.all_of(turn),
    )


def _arm(turn: Turn, asked: Command, text: str) -> CommandDone:
    try:
        wish = msgspec.json.decode(text, type=Wish)
    except msgspec.MsgspecError as error:
        return _refused(asked, [f"it is no wish: {error}"])
    found = arming_check.all_of(turn)
    failing = [f"{one.name}: {one.text} -> {one.todo}" for one in found if one.fails]
    if flaws := [*_flaws(turn, wish), *failing]:
        return _refused(asked, flaws)
    until_ns = turn.now_ns + wish.for_s * SECOND_NS
    told = f"orders for real money may leave for account {wish.account} until {iso(until_ns)}"
    if asked.verb == "arm-look":
        return _done(asked, "", msgspec.json.encode([told]))
    by, why = asked.by, wish.why.strip()
    at_ns = turn.now_ns
    turn.windows.seen_ns = at_ns
    turn.say(LiveArmed(ts_event=at_ns, until_ns=until_ns, account=wish.account, by=by, reason=why))
    turn.tell_level()
    return _done(asked, told)


def _flaws(turn: Turn, wish: Wish) -> list[str]:
    found = []
    if not wish.account or wish.account != turn.rules.account:
        found.append("account: what was typed is not `exchange.account` of this house")
    if not 0 < wish.for_s * SECOND_NS <= ARM_MAX_NS:
        found.append(f"time: expected more than nothing and at most {DAYS_MAX} days")
    if not wish.why.strip():
        found.append("reason: say why, for the audit")
    return found


def _disarm(turn: Turn, asked: Command, why: str) -> CommandDone:
    if not turn.books.arm.until_ns:
        return _done(asked, f"{arming.UNARMED} already")
    disarming.disarm(turn, asked.by, why)
    return _done(asked, f"{arming.UNARMED} any more; reductions, stops and cancels go on")


def _done(asked: Command, text: str, body: bytes = b"") -> CommandDone:
    return CommandDone(request_id=asked.request_id, ok=True, text=text, body=body)


def _refused(asked: Command, flaws: list[str]) -> CommandDone:
    body = msgspec.json.encode(flaws)
    return CommandDone(request_id=asked.request_id, ok=False, text="; ".join(flaws), body=body)
