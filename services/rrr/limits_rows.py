"""What `rrr risk` shows: a line for each limit, and what a change would make of one."""

from collections.abc import Sequence

import msgspec

from services.risk.terms import TERMS, lets_more
from services.risk.uses import Use
from services.rrr.screen import mode_of, table, world_line

OFF = "off"
HEAD = ("LIMIT", "VALUE", "USED", "SHARE", "SOURCE", "")


class Wanted(msgspec.Struct, frozen=True):
    """What a person wants of a limit."""

    name: str
    scope: str
    after: str
    verb: str

    @property
    def key(self) -> str:
        return f"{self.name} of {self.scope}" if self.scope else self.name


def shown(limits: Sequence[Use], world: str) -> str:
    """Return all limits as a table."""
    rows = [_row(one) for one in limits]
    return "\n".join([world_line(world), *table([HEAD, *rows])])


def _row(one: Use) -> tuple[str, ...]:
    name = f"{one.name} {one.scope}" if one.scope else one.name
    share = f"{one.share_pct}%" if one.used and one.value != "0" else ""
    source = f"{one.source}: {one.why}" if one.why else one.source
    return name, _value(one.value), one.used, share, source, _note(one)


def _note(one: Use) -> str:
    notes = ["LATCHED"] if one.latched else []
    if one.pending:
        notes.append(f"{_value(one.pending)} from {one.pending_at} on")
    return ", ".join(notes)


def _value(text: str) -> str:
    return OFF if text in {"", "0"} else text


def preview(wanted: Wanted, limits: Sequence[Use], world: str) -> str:
    """Return what a change would do, before it is made."""
    now = next(
        (one for one in limits if (one.name, one.scope) == (wanted.name, wanted.scope)), None
    )
    common = next((one for one in limits if (one.name, one.scope) == (wanted.name, "")), None)
    is_of = now or common
    before = _value(is_of.value) if is_of is not None else OFF
    used = f", {is_of.used} of it used" if is_of is not None and is_of.used else ""
    lines = [world_line(world), f"{wanted.key} is {before}{used}."]
    if wanted.verb == "set":
        lines.append(f"It would be {_value(wanted.after)}{_when(wanted, before, world)}.")
    elif wanted.verb == "unset":
        lines.append("It would be what the settings say.")
    return "\n".join(lines)


def _when(wanted: Wanted, before: str, world: str) -> str:
    more = lets_more(TERMS[wanted.name], "0" if before == OFF else before, wanted.after)
    if more and mode_of(world) == "live":
        return ", in ten minutes, because it lets more happen"
    return " from the next order on"
