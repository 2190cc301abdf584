"""Decides what is kept of each message; the store does the rest."""

from collections.abc import Callable

import msgspec

from bus.service import Said, Service
from schema.head import Message
from schema.house import Command, CommandDone
from services.writer import SHARDS
from services.writer.effects import Keep
from services.writer.market import keep as keep_market
from services.writer.trading import keep as keep_trading

Rule = Callable[[Message, int], Keep | None]

RULES: dict[str, Rule] = {"market": keep_market, "trading": keep_trading}


class State(msgspec.Struct):
    """Nothing: all that a writer remembers stands in its shard."""


class Writer(Service):
    """The writer of one shard; `alarm` tells what its store suffers from."""

    def __init__(self, shard: str, alarm: Callable[[], str | None] = lambda: None) -> None:
        self.name = f"writer_{shard}"  # type: ignore[misc] # one class, one name per shard
        self.hears = SHARDS[shard]  # type: ignore[misc]
        self.state = State()
        self._rule = RULES[shard]
        self._alarm = alarm

    def handle(self, message: Said, now_ns: int) -> list[Said]:
        if isinstance(message, Message):
            kept = self._rule(message, now_ns)
            return [kept] if kept is not None else []
        if isinstance(message, Command):
            text = f"a writer knows no command {message.verb!r}: status, drain"
            return [CommandDone(request_id=message.request_id, ok=False, text=text)]
        return []

    def trouble(self, now_ns: int) -> str | None:
        return self._alarm()
