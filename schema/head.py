"""The head that every message carries, and the two families of messages.

A `Message` stands on a stream. A `Local` never does: timers, effects, answers and commands,
which move inside one process and enter a processor's journal only inside `Inputs`.

Evolution (docs/adr/0003): fields are only appended, with defaults; none is moved, retyped or
removed; a tag is never used again. `tests/golden/` keeps the bytes of every message.
"""

from typing import ClassVar, Literal

import msgspec

Cause = tuple[int, int]
"""Stream number and position of the message that triggered this one; (0, 0) when none did."""

Side = Literal["buy", "sell"]


class Message(msgspec.Struct, array_like=True, frozen=True, gc=False, kw_only=True):
    """Anything said on a stream; the runner stamps `cause` and copies `trace` through."""

    ts_event: int  # market time, ns since 1970 UTC
    trace: int = 0  # given at ingest; joins a tick to the order that it led to
    cause: Cause = (0, 0)


class Local(msgspec.Struct, array_like=True, frozen=True, gc=False, kw_only=True):
    """Anything that stays inside one process: an input from, or an effect on, the outside."""


class Noticed(Local, frozen=True, kw_only=True):
    """What a core learnt while it handled an input, and would not learn again the same way.

    A core returns it; the runner records it before that input. A turn that is run again hears it
    first, and must then decide as it did, without finding out anew.
    """


class Effect(Local, frozen=True, kw_only=True):
    """Something for the edge to do; it gets exactly one answer, or one `Unanswered`.

    What is `urgent` is handed over before everything else of its turn.
    """

    urgent: ClassVar[bool] = False

    effect_id: str
    timeout_ms: int = 10_000  # monotonic time
