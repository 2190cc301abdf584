"""A person's words about faults, and the answer to them."""

from collections.abc import Sequence
from difflib import get_close_matches

import msgspec

from services.venue.faults import BAN, RATE, Fault, Faults, new_fault
from services.venue.faults_kinds import GROUPS, KINDS, WHEN

SCOPE = ("symbol", "side", "call")
BOUNDS = ("count", "for_s")
SIGNED = frozenset({"ms"})
CALLS = frozenset({"any", *GROUPS}).union(*GROUPS.values())


class Listed(msgspec.Struct, kw_only=True):
    """One fault as it is shown."""

    name: str
    what: str
    active: bool = False
    left: int = 0
    left_ms: int = 0
    hits: int = 0
    scope: dict[str, str] = {}
    params: dict[str, int | str] = {}


class Told(msgspec.Struct, kw_only=True):
    """What the venue answers about its faults."""

    ok: bool
    text: str
    faults: list[Listed]
    during_ban: int  # requests that came although they had been told to wait


def obey(faults: Faults, args: Sequence[str]) -> Told:
    """Do what the words of a command say: set NAME key=value …, clear [NAME], list."""
    match list(args):
        case ["list"] | []:
            return _told(faults, ok=True, text="")
        case ["clear", *names] if set(names) <= set(KINDS):
            ended = [one for name in names or [""] for one in faults.clear(name)]
            return _told(faults, ok=True, text=f"cleared: {', '.join(ended) or 'nothing was set'}")
        case ["set", name, *words] if name in KINDS:
            return _set(faults, name, words)
        case ["set" | "clear", *names]:
            return _told(faults, ok=False, text=_unknown(names))
        case _:
            return _told(faults, ok=False, text=f"expected set, clear or list, found {args[0]!r}")


def _set(faults: Faults, name: str, words: list[str]) -> Told:
    try:
        fault = read(name, words, faults.now_ms())
    except ValueError as error:
        return _told(faults, ok=False, text=str(error))
    faults.set(fault)
    return _told(faults, ok=True, text=f"{name}: {KINDS[name].what}; {_bounds(fault, faults)}")


def read(name: str, words: Sequence[str], now_ms: int) -> Fault:
    """Return the fault that words such as count=2 describe; ValueError when they do not."""
    kind = KINDS[name]
    given = dict(_pair(word) for word in words)
    known = {*SCOPE, *BOUNDS, *kind.params}
    if strange := sorted(set(given) - known):
        raise ValueError(f"{name} has no {strange[0]!r}; it has {', '.join(sorted(known))}")
    params = {key: _value(key, given[key]) for key in kind.params if key in given}
    scope = {key: _scope(key, given[key]) for key in SCOPE if key in given}
    count, last_s = (_number(key, given.get(key, "0")) for key in BOUNDS)
    return new_fault(name, scope, params, (count, last_s), now_ms)


def _pair(word: str) -> tuple[str, str]:
    key, equals, value = word.partition("=")
    if not equals:
        raise ValueError(f"expected key=value, found {word!r}")
    return key, value


def _value(key: str, text: str) -> int | str:
    if key != "when":
        return _number(key, text, signed=key in SIGNED)
    if text not in WHEN:
        raise ValueError(f"when is {text!r}, expected {' or '.join(WHEN)}")
    return text


def _number(key: str, text: str, *, signed: bool = False) -> int:
    digits = text.removeprefix("-") if signed else text
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > 9:
        raise ValueError(f"{key} is {text!r}, expected a whole number")
    return int(text)


def _scope(key: str, text: str) -> str:
    if key == "symbol":
        return text.replace("/", "").upper()
    if key == "side":
        if text.upper() not in {"BUY", "SELL"}:
            raise ValueError(f"side is {text!r}, expected buy or sell")
        return text.upper()
    if text not in CALLS:
        raise ValueError(f"call is {text!r}, expected one of {', '.join(sorted(CALLS))}")
    return text


def _unknown(names: Sequence[str]) -> str:
    wrong = next((name for name in names if name not in KINDS), "")
    near = get_close_matches(wrong, KINDS, 1)
    return f"there is no fault {wrong!r}" + (f"; did you mean {near[0]}?" if near else "")


def _bounds(fault: Fault, faults: Faults) -> str:
    count = f"{fault.left} times" if fault.left else ""
    last = f"for {(fault.until_ms - faults.now_ms()) / 1_000:.0f} s" if fault.until_ms else ""
    return ", at most ".join(filter(None, (count, last)))


def _told(faults: Faults, *, ok: bool, text: str) -> Told:
    active = {fault.name: fault for fault in faults.active()}
    now_ms = faults.now_ms()
    listed = []
    for name, kind in KINDS.items():
        one = Listed(name=name, what=kind.what, hits=faults.hits.get(name, 0))
        if (fault := active.get(name)) is not None:
            one.active, one.left = True, fault.left
            one.left_ms = max(0, fault.until_ms - now_ms)
            one.scope = {key: value for key in SCOPE if (value := str(getattr(fault, key)))}
            one.params = dict(fault.params)
        if name in {BAN, RATE} and (left_ms := faults.banned_ms.get(name, 0) - now_ms) > 0:
            one.active, one.left_ms = True, left_ms
        listed.append(one)
    return Told(ok=ok, text=text, faults=listed, during_ban=faults.during_ban)
