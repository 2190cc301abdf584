"""What was said on a journaled stream, as rows: the newest first, and no more than asked for."""

import difflib
import warnings
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import msgspec

from bus.errors import HouseError
from bus.house import House
from schema.head import Message
from schema.streams import STREAMS, Stream
from schema.trading import Decision
from services.rrr.digging import holding, newest_first
from services.rrr.ears import Seen, opened
from services.rrr.lab_plain import is_time, message_names, message_row, plain_name, plain_row
from services.rrr.lab_table import columns_of, numbers_of
from services.rrr.lab_time import wall_since_ns

LIMIT = 100_000
DECISIONS = "engine.intent"
HEAD = ("time", "said", "pos", "type")
ANSWER = (
    *("symbol", "action", "reason", "bar_open", "qty", "limit_px", "stop_px", "take_px", "until"),
    *("shadow", "client_order_id", "trace"),
)
STACK_LEVEL = 4
"""The call in the notebook, seen from where a cut is told."""

Columns = tuple[dict[str, Any], set[str]]


def stream_named(name: str) -> Stream:
    """Return a stream that has a journal; HouseError for another one."""
    stream = STREAMS.get(name)
    if stream is None:
        near = difflib.get_close_matches(name, STREAMS, 1)
        hint = f"the nearest is {near[0]}" if near else "`rrr bus list` names them"
        raise HouseError(f"there is no stream {name!r}", hint[0].upper() + hint[1:])
    if not stream.journaled:
        raise HouseError(
            f"{name} is told and not kept", "`rrr bus watch` shows it while the house runs"
        )
    return stream


def messages(house: House, name: str, since_ns: int, until_ns: int, limit: int) -> Columns:
    """Return what a stream said of a stretch of market time, a row each, oldest first."""
    stream = stream_named(name)
    found = _newest(_all(house, stream, since_ns), since_ns, until_ns, limit, lambda _: True)
    rows = [_row(seen) for seen in found]
    kinds = {type(seen.message) for seen in found} or set(stream.messages)
    fields = [name for kind in stream.messages if kind in kinds for name in kind.__struct_fields__]
    times = {plain_name(name) for name in fields if is_time(name)}
    return columns_of(rows, (*HEAD, *message_names(fields))), {"time", "said", *times}


def decisions(house: House, strategy: str, since_ns: int, until_ns: int, limit: int) -> Columns:
    """Return what a strategy decided, with its notes as columns; oldest first."""

    def asked(message: Message) -> bool:
        return isinstance(message, Decision) and message.strategy == strategy

    stream = stream_named(DECISIONS)
    named = msgspec.msgpack.encode(strategy)
    seen = _opened(holding(house.journal_dir, stream, named), wall_since_ns(house, since_ns))
    found = _newest(seen, since_ns, until_ns, limit, asked)
    rows = [_decision(one) for one in found]
    notes = columns_of([dict(getattr(one.message, "notes", ())) for one in found], ())
    columns = columns_of(rows, ("time", *map(_called, ANSWER), "pos"))
    for name, texts in notes.items():
        columns[f"note_{name}" if name in columns else name] = list(numbers_of(texts))
    return columns, {"time", "bar_open", "until"}


def known_to(house: House, strategy: str) -> bool:
    """Return whether the settings or any decision that is kept name a strategy."""
    if strategy in house.settings.strategy:
        return True
    named = msgspec.msgpack.encode(strategy)
    return any(holding(house.journal_dir, STREAMS[DECISIONS], named))


def _all(house: House, stream: Stream, since_ns: int) -> Iterator[Seen]:
    return _opened(newest_first(house.journal_dir, stream), wall_since_ns(house, since_ns))


def _opened(frames: Iterator[Any], wall_ns: int) -> Iterator[Seen]:
    for frame in frames:
        if frame.ts_ns < wall_ns:
            return
        yield from reversed(opened(frame))


def _newest(
    said: Iterator[Seen],
    since_ns: int,
    until_ns: int,
    limit: int,
    asked: Callable[[Message], bool],
) -> list[Seen]:
    fitting = (
        seen
        for seen in said
        if since_ns <= seen.message.ts_event < until_ns and asked(seen.message)
    )
    found = list(islice(fitting, limit + 1))
    if len(found) > limit:
        warnings.warn(
            f"cut: only the newest {limit} are shown, older ones are left out. "
            "Ask for a later `since`, or allow more with `limit`",
            stacklevel=STACK_LEVEL,
        )
    return found[:limit][::-1]


def _row(seen: Seen) -> dict[str, Any]:
    row = message_row(seen.message)
    head = {"time": row.pop("time"), "said": seen.ts_ns, "pos": seen.pos}
    return {**head, "type": type(seen.message).__name__, **row}


def _decision(seen: Seen) -> dict[str, Any]:
    fields = {name: getattr(seen.message, name) for name in seen.message.__struct_fields__}
    row = plain_row(fields)
    found = {_called(name): row.get(name) for name in ANSWER}
    return {"time": seen.message.ts_event, **found, "pos": seen.pos}


def _called(name: str) -> str:
    return name.replace("_px", "_price")
