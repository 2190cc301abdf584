"""Decides what is kept of each message; the store does the rest."""

from collections.abc import Callable
from typing import ClassVar

import msgspec

from bus.service import Heard, Run, Said, Service
from schema.head import Message
from schema.house import Command, CommandDone
from services.writer import SHARDS
from services.writer.analytics import keep as keep_analytics
from services.writer.backtest import keep as keep_backtest
from services.writer.effects import Chore, Keep, Told
from services.writer.market import keep as keep_market
from services.writer.trading import keep as keep_trading

Rule = Callable[[Message, int], Keep | None]

RULES: dict[str, Rule] = {
    "market": keep_market,
    "trading": keep_trading,
    "analytics": keep_analytics,
    "backtest": keep_backtest,
}
CHORES = ("optimize", "retire")
"""What may be asked of any shard's one connection; a store says which of them it can do."""

PLACED = frozenset({"analytics"})
"""Shards that keep where and when a message was said."""

WHOLE = frozenset({"market"})
"""Shards to which so much is said that each message by itself would cost more than its row."""


class State(msgspec.Struct):
    """Nothing: all that a writer remembers stands in its shard."""


class Writer(Service):
    """The writer of one shard; `alarm` tells what its store suffers from."""

    niceness: ClassVar[int] = 10

    def __init__(self, shard: str, alarm: Callable[[], str | None] = lambda: None) -> None:
        self.name = f"writer_{shard}"  # type: ignore[misc] # one class, one name per shard
        self.hears = SHARDS[shard]  # type: ignore[misc]
        self.state = State()
        self._rule = RULES[shard]
        self._placed = shard in PLACED
        self.whole = shard in WHOLE  # type: ignore[misc] # as above
        self._alarm = alarm

    def hear(self, heard: Heard, now_ns: int) -> list[Said]:
        outs = self.handle(heard.message, now_ns)
        return [_placed(out, heard) for out in outs] if self._placed else outs

    def hear_run(self, run: Run, now_ns: int) -> list[Said]:
        return [Told(messages=run.messages, now_ns=now_ns)]

    def handle(self, message: Said, now_ns: int) -> list[Said]:
        if isinstance(message, Message):
            kept = self._rule(message, now_ns)
            return [kept] if kept is not None else []
        if isinstance(message, Command):
            return [self._asked(message)]
        return []

    def _asked(self, command: Command) -> Said:
        request_id = command.request_id
        if command.verb in CHORES:
            return Chore(request_id=request_id, verb=command.verb, args=command.args)
        known = ", ".join(("status", "drain", *CHORES))
        text = f"a writer knows no command {command.verb!r}: {known}"
        return CommandDone(request_id=request_id, ok=False, text=text)

    def trouble(self, now_ns: int) -> str | None:
        return self._alarm()


def _placed(out: Said, heard: Heard) -> Said:
    if not isinstance(out, Keep):
        return out
    return msgspec.structs.replace(out, pos=heard.pos, said_ns=heard.ts_ns)
