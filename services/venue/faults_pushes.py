"""What a fault does to the user stream: events late, twice, backwards, spoiled or not at all."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec

from services.venue.faults import Faults
from services.venue.payload import Json

GARBAGE = b'{"subscriptionId":0,"event":{"e":"executionReport","E":17'

Wrap = Callable[[Json], bytes]


class Push(NamedTuple):
    """A text for who listens, and when it goes out."""

    due_ms: int
    text: bytes


class Pushes:
    """What waits to be pushed, in the order in which it goes."""

    def __init__(self, faults: Faults, wrap: Wrap) -> None:
        self._faults = faults
        self._wrap = wrap
        self._waiting: list[Push] = []

    def put(self, events: Iterable[Json], late_ms: int) -> None:
        """Take events; those that tell of a fill are as late as fills are now."""
        now_ms = self._faults.now_ms()
        lag_ms = self._lag_ms()
        pushes: list[Push] = []
        for event in events:
            due_ms = now_ms + lag_ms + (late_ms if event.get("x") == "TRADE" else 0)
            pushes += [Push(due_ms, text) for text in self._texts(event)]
        self._waiting += self._turned(list(events), pushes)
        self._waiting.sort(key=lambda push: push.due_ms)  # It keeps the order of equals.

    def due(self) -> list[bytes]:
        """Return what goes out now; nothing at all of it while the stream is mute."""
        now_ms = self._faults.now_ms()
        due = [push.text for push in self._waiting if push.due_ms <= now_ms]
        self._waiting = self._waiting[len(due) :]
        if due and (mute := self._faults.look("mute_stream")) is not None:
            self._faults.count(mute)
            return []
        return due

    def _lag_ms(self) -> int:
        lag = self._faults.look("late_push")
        return self._faults.count(lag).ms() if lag is not None else 0

    def _texts(self, event: Json) -> list[bytes]:
        symbol, side = str(event.get("s", "")), str(event.get("S", ""))
        text = self._wrap(event)
        if event.get("e") != "executionReport":
            return [text]
        if self._faults.touch("stream_garbage", symbol, side):
            return [GARBAGE]
        if event.get("x") == "TRADE" and self._faults.touch("duplicate_fill", symbol, side):
            return [text, text]
        return [text]

    def _turned(self, events: list[Json], pushes: list[Push]) -> list[Push]:
        trades = [event for event in events if event.get("x") == "TRADE"]
        if not trades:
            return pushes
        fault = self._faults.touch("reorder_fills", str(trades[0]["s"]), str(trades[0]["S"]))
        if fault is None:
            return pushes
        # The newest comes first; what came before it, up to so much later.
        last = len(pushes) - 1
        return [
            Push(push.due_ms + fault.ms() * (index + 1) // len(pushes), push.text)
            for index, push in enumerate(reversed(pushes[: last + 1]))
        ]


def wrapped(subscription: int) -> Wrap:
    """Return what makes a text of an event for a subscription."""

    def wrap(event: Json) -> bytes:
        return msgspec.json.encode({"subscriptionId": subscription, "event": event})

    return wrap
