"""The warden's edge: the supervisor's events on standard input, its socket, and two small files."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from bus.errors import EdgeError, UnreachableError
from bus.house import House
from bus.service import Bridge, Edge
from schema.head import Effect, Local
from services.warden import rpc
from services.warden.effects import (
    Inventory,
    Obeyed,
    ProcessSeen,
    Remember,
    SettingsChanged,
    SignalProgram,
    StartProgram,
    StopProgram,
)
from services.warden.listener import OK, READY, payload_bytes, process_seen, tokens

SETTINGS_S = 2.0
LAST_WORD_NS = 5_000_000_000
"""An exit file older than this belongs to an earlier end; a killed process writes none."""


class LastWord(msgspec.Struct):
    """What a process wrote when it left by itself."""

    code: int
    message: str
    at_ns: int


class WardenEdge(Edge):
    """Speaks with supervisord; standard output carries its protocol and nothing else."""

    stdin: ClassVar[bool] = True

    def __init__(self, house: House) -> None:
        self._socket = house.root / "data" / "run" / rpc.SOCKET
        self._run = house.run
        self._memory = house.run / "warden.json"
        self._settings = (house.root / "settings.toml", house.root / "settings.local.toml")

    async def run(self, bridge: Bridge) -> None:
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
        await bridge.hear(await self._inventory())
        bridge.ready(None)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch_settings(bridge))
            tasks.create_task(self._listen(reader, bridge))

    async def perform(self, effect: Effect) -> Local:
        try:
            await self._obey(effect)
        except UnreachableError as error:
            raise EdgeError(error.what, error.hint) from error
        except OSError as error:
            raise EdgeError(f"{effect.effect_id}: {error}", "Is supervisord alive?") from error
        return Obeyed(effect_id=effect.effect_id)

    async def _obey(self, effect: Effect) -> None:
        match effect:
            case StartProgram(program=program):
                _tell(f"{program} is started again")
                await self._call("startProcess", program, False)
            case StopProgram(program=program):
                _tell(f"{program} ends again and again: it is stopped, and tried again later")
                await self._call("stopProcess", program, False)
            case SignalProgram(program=program, pid=pid, signal=name):
                found = await self._call("getProcessInfo", program)
                if found["pid"] == pid:
                    await self._signal(program, pid, name)
            case Remember(memory=memory):
                draft = self._memory.with_suffix(".tmp")
                draft.write_bytes(memory)
                draft.replace(self._memory)
            case _:
                raise AssertionError(f"no edge for {type(effect).__name__}")

    async def _signal(self, program: str, pid: int, name: str) -> None:
        if name != "TERM":
            _tell(f"{program} hangs: its process {pid} gets SIG{name}")
            await self._call("signalProcess", program, name)
            return
        _tell(f"{program} was told to stop and has not heard it: its process {pid} is told again")
        os.kill(pid, signal.SIGTERM)  # The supervisor signals nothing that it is stopping.

    async def _listen(self, reader: asyncio.StreamReader, bridge: Bridge) -> None:
        while True:
            os.write(1, READY)
            line = await reader.readline()
            if not line:
                break
            header = tokens(line)
            payload = await reader.readexactly(payload_bytes(header))
            seen = process_seen(header.get("eventname", ""), tokens(payload))
            if seen is not None:
                await bridge.hear(await self._with_last_word(seen, bridge.clock.wall_ns()))
            os.write(1, OK)
        # The supervisor is gone: leave as every other service does.
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()

    async def _watch_settings(self, bridge: Bridge) -> None:
        before = self._stamp()
        while True:
            await asyncio.sleep(SETTINGS_S)
            now = self._stamp()
            if now != before:
                before = now
                await bridge.hear(SettingsChanged())

    def _stamp(self) -> tuple[int, ...]:
        return tuple(_modified_ns(path) for path in self._settings)

    async def _inventory(self) -> Inventory:
        found = await self._call("getAllProcessInfo")
        memory = self._memory.read_bytes() if self._memory.exists() else b"{}"
        return Inventory(programs=tuple(self._known(info) for info in found), memory=memory)

    def _known(self, info: dict[str, Any]) -> ProcessSeen:
        word = self._last_word(info["name"])
        return ProcessSeen(
            program=info["name"],
            state=info["statename"],
            before="",
            pid=info["pid"],
            exit_code=info["exitstatus"],
            detail=word.message if word is not None else info["spawnerr"],
        )

    async def _with_last_word(self, seen: ProcessSeen, wall_ns: int) -> ProcessSeen:
        if seen.state != "EXITED":
            return seen
        word = self._last_word(seen.program)
        if word is not None and wall_ns - word.at_ns <= LAST_WORD_NS:
            return msgspec.structs.replace(seen, exit_code=word.code, detail=word.message)
        code = await self._exit_code(seen)
        why = "it was killed" if code < 0 else f"exit code {code}, its log says why"
        return msgspec.structs.replace(seen, exit_code=code, detail=f"it left no last word: {why}")

    async def _exit_code(self, seen: ProcessSeen) -> int:
        # A full disk takes the last word, too; the event tells no code, and a respawn clears it.
        if not seen.expected:
            return -1
        try:
            return int((await self._call("getProcessInfo", seen.program))["exitstatus"])
        except UnreachableError:
            return -1

    def _last_word(self, program: str) -> LastWord | None:
        try:
            data = (self._run / f"{program}.exit").read_bytes()
            return msgspec.json.decode(data, type=LastWord)
        except (OSError, msgspec.MsgspecError):
            return None

    async def _call(self, method: str, *params: str | bool) -> Any:
        try:
            reader, writer = await asyncio.open_unix_connection(self._socket)
        except OSError as error:
            raise UnreachableError(
                f"no supervisor at {self._socket}: {error}", "Start it: `rrr up`"
            ) from error
        try:
            writer.write(rpc.request(method, params))
            return rpc.answer(method, await reader.read(-1))
        finally:
            writer.close()


def _modified_ns(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


def _tell(line: str) -> None:
    # Standard output is the protocol's; this is what `supervisorctl tail warden` shows beside it.
    os.write(2, f"warden: {line}\n".encode())
