"""Says bars again that were wrong: the minute first, and every longer bar that holds it.

Each counts its revision on. A longer bar that is still in the making is made anew in the books, and
said once as always.
"""

from functools import partial

import msgspec

from schema.market import Bar
from schema.units import bar_open_ns
from services.ingest.bars import bar_of, say_bar
from services.ingest.buckets import of_parts
from services.ingest.kept import LONGER, bar_at, parts
from services.ingest.line import Pass


def correct(turn: Pass, minute: Bar) -> None:
    """Say a minute again, or one that was not known of, and the longer bars around it."""
    before = bar_at(turn.feed.kept, "1m", minute.open_ns)
    revision = before.revision + 1 if before is not None else 1
    turn.say(msgspec.structs.replace(minute, revision=revision))
    for name in LONGER:
        _correct_longer(turn, name, bar_open_ns(minute.open_ns, name))


def _correct_longer(turn: Pass, name: str, open_ns: int) -> None:
    feed, making = turn.feed, turn.feed.frames.get(name)
    said = bar_at(feed.kept, name, open_ns)
    if said is None and (making is None or making.open_ns <= open_ns):
        return  # It is still in the making.
    if open_ns < max(feed.start_ns, feed.kept_ns):
        return  # Not all of its parts are known any more.
    made = of_parts(open_ns, parts(feed.kept, feed.frames, name, open_ns))
    assert made is not None, "the minute is in it"
    made = msgspec.structs.replace(made, revision=said.revision + 1 if said is not None else 1)
    say_bar(turn, name, open_ns, partial(bar_of, feed, name, made, made.turnover))
