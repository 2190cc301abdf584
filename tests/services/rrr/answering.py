"""Control sockets that answer while a command line runs in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from bus.clock import SystemClock
from bus.house import House
from bus.wire import Wire
from schema.house import CommandDone
from tests.services.bare import ROOT

DEADLINE_NS = 20_000_000_000
Answers = Mapping[tuple[str, str], tuple[bool, str, Any]]
"""For service and verb: whether it was done, the text, and the body, as JSON unless it is bytes."""


class Done:
    """What a process wrote, and the commands that reached the services meanwhile."""

    def __init__(self, process: "subprocess.Popen[str]", asked: list[tuple[str, ...]]) -> None:
        self.out, self.err = process.communicate()
        self.code = process.returncode
        self.asked = asked

    @property
    def told(self) -> list[tuple[str, ...]]:
        """The commands that change something."""
        return [one for one in self.asked if one[1] not in {"stops", "level", "limits"}]


class Services:
    """Control sockets of some services in a bare house, answered while a command runs."""

    def __init__(self, house: House, names: tuple[str, ...], answers: Answers) -> None:
        self.house = house
        self.wires = {name: Wire(house.run, name) for name in names}
        self.answers = answers

    def rrr(self, *words: str, stdin: int = subprocess.DEVNULL, typed: bytes = b"") -> Done:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.rrr", *words],
            cwd=self.house.root,
            env=bare_environment(),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if typed:
            os.write(self.typing, typed)
        asked: list[tuple[str, ...]] = []
        clock = SystemClock()
        deadline_ns = clock.mono_ns() + DEADLINE_NS
        while process.poll() is None:
            assert clock.mono_ns() < deadline_ns
            clock.pause_ms(1)
            asked += self._answer()
        return Done(process, asked)

    typing = -1

    def _answer(self) -> Iterator[tuple[str, ...]]:
        for name, wire in self.wires.items():
            wire.wait(0)
            for command in wire.commands():
                yield (name, command.verb, *command.args)
                ok, text, body = self.answers[name, command.verb]
                packed = body if isinstance(body, bytes) else json.dumps(body).encode()
                packed = b"" if body is None else packed
                wire.reply(
                    CommandDone(request_id=command.request_id, ok=ok, text=text, body=packed)
                )

    def close(self) -> None:
        for wire in self.wires.values():
            wire.close()


def bare_environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("RRR_", "MODE"))}
    return kept | {"PYTHONPATH": str(ROOT)}
