"""What a service writes for people: events as JSON lines, and a short story on its console.

`logs/{system,trading,audit}/NAME.jsonl` are the service's own files: rotated by size, compressed
into `logs/archive`, bounded in number. The console is the supervisor's pipe: at most ten lines a
minute, no line twice in one, some room kept for what is urgent; dropped rather than waited for
when nobody reads it.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from bus.clock import Clock
from bus.held import Held
from bus.plain import printable
from bus.story import TOLD, Line, line_of
from schema.head import Message
from schema.units import iso_ms

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Kind = Literal["system", "trading", "audit"]

STORY_LINES_MAX = 10
STORY_LINES_COMMON = 6
"""How many of them may be nothing urgent."""

STORY_WINDOW_NS = 60_000_000_000
CHATTER = frozenset({"catching_up"})
LINE_CHARS = 500
ORDER_CHARS = 32


class Log:
    """The log of one service; used from its main thread alone."""

    def __init__(
        self, directory: Path, service: str, world: str, clock: Clock, limits: tuple[int, int]
    ) -> None:
        self.service = service
        self.world = world
        self._directory = directory
        self._clock = clock
        self._bytes_max, self._files_max = limits
        self.dropped = 0
        self._files: dict[str, Held] = {}
        self._story: dict[str, int] = {}
        self._untold = 0
        self._encoder = msgspec.json.Encoder(enc_hook=str)
        self.console = 1

    def event(self, name: str, *, kind: Kind = "system", **fields: object) -> None:
        """Write one line: when, who, where, what, and its fields."""
        self._write(kind, name, fields)

    def note(self, name: str, fields: Mapping[str, object]) -> None:
        """Write one line whose fields another wrote down."""
        self._write("system", name, fields)

    def say(self, text: str, **fields: object) -> None:
        """Write an event and tell it on the console too, while it is not flooded."""
        self._write("system", text, fields)
        detail = " ".join(f"{key}={value}" for key, value in fields.items() if value != "")
        room = STORY_LINES_COMMON if text in CHATTER else STORY_LINES_MAX
        self._tell(f"{text} {detail}".rstrip(), room)

    def story(self, said: Sequence[Message]) -> None:
        """Write a line for each message that a person may want to find here."""
        if TOLD.isdisjoint(map(type, said)):
            return  # Of what fills a stream, nothing is told.
        for message in said:
            line = line_of(message)
            if line is not None:
                self._write_line(line)

    def _write_line(self, line: Line) -> None:
        named = {"about": line.about, "order": line.order, "text": line.text}
        fields = {key: value for key, value in named.items() if value}
        self._write("trading", line.event, fields)
        if line.audit:
            self._write("audit", line.event, fields)
        if line.volume != "quiet":
            room = STORY_LINES_MAX if line.volume == "urgent" else STORY_LINES_COMMON
            words = (line.event, line.order[:ORDER_CHARS], line.about, line.text)
            self._tell(" ".join(filter(None, words)), room)

    def _tell(self, text: str, room: int) -> None:
        now_ns = self._clock.mono_ns()
        begin_ns = now_ns - STORY_WINDOW_NS
        self._story = {told: at_ns for told, at_ns in self._story.items() if at_ns > begin_ns}
        if text in self._story or len(self._story) >= room:
            self._untold += 1
            return
        self._story[text] = now_ns
        more = f" ({self._untold} more in logs/)" if self._untold else ""
        self._untold = 0
        shown = printable(text)[:LINE_CHARS]
        self._print(f"{iso_ms(self._clock.wall_ns())} {self.service} {shown}{more}")

    def _print(self, line: str) -> None:
        try:
            os.set_blocking(self.console, False)
            os.write(self.console, line.encode(errors="replace") + b"\n")
        except OSError:
            return  # A full pipe, or a supervisor that is gone: the file has the line.

    def _write(self, kind: Kind, name: str, fields: Mapping[str, Any]) -> None:
        head = {
            "ts": iso_ms(self._clock.wall_ns()),
            "service": self.service,
            "world": self.world,
            "event": name,
        }
        try:
            line = self._encoder.encode({**head, **fields})
            fd = self._open(kind)
            os.write(fd, line + b"\n")
            if os.fstat(fd).st_size >= self._bytes_max:
                self._rotate(kind)
        except (OSError, UnicodeError):
            self.dropped += 1  # Of all that a full disk can stop, the log goes first.

    def _path(self, kind: str) -> Path:
        return self._directory / kind / f"{self.service}.jsonl"

    def _open(self, kind: str) -> int:
        if kind not in self._files:
            path = self._path(kind)
            path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._files[kind] = Held(os.open(path, flags, 0o600))
        return self._files[kind].fd

    def _rotate(self, kind: str) -> None:
        self._files.pop(kind).close()
        archive = self._directory / "archive"
        archive.mkdir(parents=True, exist_ok=True)
        path = self._path(kind)
        target = archive / f"{self.service}.{kind}.{self._clock.wall_ns():020d}.jsonl.zst"
        target.write_bytes(zstd.compress(path.read_bytes()))
        path.unlink()
        kept = sorted(archive.glob(f"{self.service}.{kind}.*.jsonl.zst"))
        for old in kept[: -self._files_max]:
            old.unlink()

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()
        self._files.clear()
