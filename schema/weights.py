"""The law of an exchange's request budget: what is counted, in which window, and what a ban says.

Weight is counted for an address, so that what one process reads from an answer holds all others'
requests too. Windows begin at whole minutes, tens of seconds and days of the exchange's own clock.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from schema.units import MS_NS, iso_ms

MINUTE_MS = 60_000
TEN_SECONDS_MS = 10_000
DAY_MS = 86_400_000
MARGIN_MS = 500
"""So far apart our reckoning of the exchange's clock and the clock itself may be."""

WEIGHT_1M = 6_000
ORDERS_10S = 100
ORDERS_1D = 200_000
"""What the exchange allows [doc], where its listing does not say."""

USED = "x-mbx-used-weight-1m"
COUNT_10S = "x-mbx-order-count-10s"
COUNT_1D = "x-mbx-order-count-1d"
RETRY = "retry-after"

UNTOLD = "what the exchange forbade before is not told yet"

TOO_MANY = -1003
TOO_MANY_ORDERS = -1015
SLOW_DOWN, BANNED = 429, 418
SLOW_DOWN_MS = 60_000
BANNED_MS = 120_000
"""How long to be quiet where an answer does not say: a minute's window, and the shortest ban."""

BAN_MAX_MS = 604_800_000
"""Longer than any ban; what says more is no number of seconds."""

HTTP_DATE = "%a, %d %b %Y %H:%M:%S GMT"
UNTIL = re.compile(r"banned until (\d{13})\b")


class Rates(msgspec.Struct, frozen=True):
    """How much is allowed: weight a minute, orders in ten seconds and in a day."""

    weight_1m: int = WEIGHT_1M
    orders_10s: int = ORDERS_10S
    orders_1d: int = ORDERS_1D


KINDS = {
    ("REQUEST_WEIGHT", "MINUTE", 1): "weight_1m",
    ("ORDERS", "SECOND", 10): "orders_10s",
    ("ORDERS", "DAY", 1): "orders_1d",
}


def rates_of(entries: Iterable[Mapping[str, Any]]) -> Rates:
    """Return the limits that an exchange lists; what it does not name stays as it is known."""
    found = {}
    for entry in entries:
        kind = (entry.get("rateLimitType"), entry.get("interval"), entry.get("intervalNum"))
        limit = entry.get("limit")
        if kind in KINDS and isinstance(limit, int) and limit > 0:
            found[KINDS[kind]] = limit
    return Rates(**found)


class Meter(msgspec.Struct):
    """One count in windows of one length: what the exchange told, and what is on its way.

    Every doubt is counted as spent: a request without an answer, one that is under way at the end
    of a window, one of the moment in which nobody knows which window it falls in.
    """

    span_ms: int
    limit: int
    flying: int = 0
    counted: int = 0
    late: int = 0  # of `counted`, what may belong to the window that has just begun
    slot: int = 0

    def used(self, now_ms: int) -> int:
        """Return how much of this window may be spent."""
        self._roll(now_ms)
        return self.counted + self.flying

    def has_room(self, now_ms: int, cost: int, share: float) -> bool:
        """Return whether so much more stays within a share of the limit."""
        return self.used(now_ms) + cost <= int(self.limit * share)

    def begin(self, now_ms: int, cost: int) -> None:
        """Count a request that is about to be sent."""
        self._roll(now_ms)
        self.flying += cost
        self.late += cost * self._may_be_next(now_ms)

    def tell(self, now_ms: int, told: int, begun_ms: int, cost: int) -> None:
        """Take the exchange's own count, as an answer to a request of this window has it."""
        self._roll(now_ms)
        if self._slot(begun_ms) == self.slot:
            self.counted = max(self.counted, told)
        else:
            self.lose(now_ms, cost)

    def lose(self, now_ms: int, cost: int) -> None:
        """Count a request of whose weight nothing was told."""
        self._roll(now_ms)
        self.counted += cost
        self.late += cost * self._may_be_next(now_ms)

    def end(self, now_ms: int, cost: int) -> None:
        """Take note that a request is over."""
        self._roll(now_ms)
        self.flying -= cost

    def close(self, now_ms: int) -> None:
        """Take the exchange's word that there is nothing left."""
        self._roll(now_ms)
        self.counted = max(self.counted, self.limit)

    def _may_be_next(self, now_ms: int) -> bool:
        return now_ms // self.span_ms != self.slot or (
            (now_ms + MARGIN_MS) // self.span_ms != self.slot
        )

    def _slot(self, at_ms: int) -> int:
        return (at_ms - MARGIN_MS) // self.span_ms

    def _roll(self, now_ms: int) -> None:
        slot = self._slot(now_ms)
        if slot != self.slot:
            self.counted = self.late if slot == self.slot + 1 else 0
            self.late, self.slot = 0, slot


class Quiet(msgspec.Struct):
    """Until when nothing may be asked; what was forbidden before is never shortened."""

    until_wall_ms: int = 0
    until_mono_ns: int = 0

    def forbid(self, left_ms: int, wall_ms: int, mono_ns: int) -> bool:
        """Be quiet for so long from now on; return whether that is longer than before."""
        until_ns = mono_ns + left_ms * MS_NS
        if left_ms <= 0 or until_ns <= self.until_mono_ns:
            return False
        self.until_mono_ns, self.until_wall_ms = until_ns, wall_ms + left_ms
        return True

    def why(self, mono_ns: int) -> str | None:
        """Return until when nothing may be asked, or None."""
        if mono_ns >= self.until_mono_ns:
            return None
        return f"banned until {iso_ms(self.until_wall_ms * MS_NS)}"


def count_in(headers: Mapping[str, str], name: str) -> int | None:
    """Return a count that the exchange tells in a header, or None; names are lower-case."""
    text = headers.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


class Refused(msgspec.Struct, frozen=True):
    """An answer as far as it tells of a ban; names of headers are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: str
    code: int = 0

    @property
    def is_ban(self) -> bool:
        """Whether the exchange wants to hear nothing for a while; too many orders are no ban."""
        if self.code == TOO_MANY_ORDERS:
            return False
        return self.status in {SLOW_DOWN, BANNED} or self.code == TOO_MANY


def wait_ms(refused: Refused, wall_ms: int, exchange_ms: int) -> int:
    """Return for how long nothing may be asked: the longest that an answer says."""
    usual_ms = BANNED_MS if refused.status == BANNED else SLOW_DOWN_MS
    found = [*_retry_ms(refused.headers, wall_ms), *_until_ms(refused.body, exchange_ms)]
    return min(max(found, default=usual_ms), BAN_MAX_MS)


def _retry_ms(headers: Mapping[str, str], wall_ms: int) -> list[int]:
    text = headers.get(RETRY, "").strip()
    if text.isascii() and text.isdecimal():
        return [max(1, int(text[:10])) * 1_000]
    until_ms = _date_ms(text)
    if until_ms is None:
        return []
    said_ms = _date_ms(headers.get("date", ""))
    left_ms = max(until_ms - now_ms for now_ms in (wall_ms, said_ms) if now_ms is not None)
    return [left_ms] if left_ms > 0 else []


def _date_ms(text: str) -> int | None:
    try:
        found = datetime.strptime(text, HTTP_DATE).replace(tzinfo=UTC)
    except ValueError:
        return None
    return int(found.timestamp()) * 1_000


def _until_ms(body: str, exchange_ms: int) -> list[int]:
    found = UNTIL.search(body)
    left_ms = int(found[1]) - exchange_ms if found else 0
    return [left_ms] if left_ms > 0 else []
