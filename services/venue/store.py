"""The account on the disk: a log of batches, appended and synced before anything is said of them.

A record is a mark, the length and the crc32 of its body, and the body. A kill can tear the last
record alone, and then nobody has heard of it: it is cut off. A damaged one with whole ones behind
it is no tear, and is refused. What was overwritten is left out when a long log is opened.
"""

import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from zlib import crc32

import msgspec

from bus.disk import make_directory, sync_directory, sync_file, write_whole
from bus.errors import SettingsError
from bus.segments import cut
from services.venue.records import Batch, Records

MARK = b"\xd1VA1"
HEAD = struct.Struct("<4sII")
COMPACT_BYTES = 32 << 20
COMPACT_SHARE = 2

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Batch).decode


def account_path(folder: Path) -> Path:
    """Return the file of the account in the venue's own folder."""
    return folder / "account.log"


def packed(batch: Batch) -> bytes:
    """Return a batch as a record."""
    body = _encode(batch)
    return HEAD.pack(MARK, len(body), crc32(body)) + body


class Log:
    """The open log; after a failure it takes nothing more."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self._fd = fd
        self._failed = False

    def append(self, batch: Batch) -> None:
        """Write a batch through to the disk; SettingsError when that fails, now and ever after."""
        if self._failed:
            raise self._failure("an earlier batch was not written")
        try:
            write_whole(self._fd, packed(batch))
            sync_file(self._fd)
        except OSError as error:
            self._failed = True
            raise self._failure(error.strerror).of_disk(error) from error

    def close(self) -> None:
        """Close the file; nothing is taken any more."""
        self._failed = True
        os.close(self._fd)

    def _failure(self, reason: str | None) -> SettingsError:
        return SettingsError(
            f"the venue's account {self.path} cannot be written: {reason}",
            "Free space or mend its permissions; RRR_HOME moves it elsewhere",
        )


def open_log(path: Path) -> tuple[Log, Records | None]:
    """Open the log of an account, and return its records; None when there are none yet."""
    try:
        return _opened(path)
    except OSError as error:
        raise SettingsError(
            f"the venue's account {path} cannot be opened: {error.strerror}",
            "Free space or mend its permissions; RRR_HOME moves it elsewhere",
        ).of_disk(error) from error


def _opened(path: Path) -> tuple[Log, Records | None]:
    make_directory(path.parent)
    data = path.read_bytes() if path.exists() else b""
    records, whole = read(path, data)
    if records is not None and whole > COMPACT_BYTES and whole > COMPACT_SHARE * _size(records):
        write_anew(path, records)
    elif whole < len(data):
        cut(path, whole)
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    sync_directory(path.parent)
    return Log(path, fd), records


def read(path: Path, data: bytes) -> tuple[Records | None, int]:
    """Return the fold of a log and the length of its whole part; SettingsError when damaged."""
    records, place = Records(), 0
    for batch, end in _batches(data):
        records.apply(batch)
        place = end
    if _next_record(data, place + 1) is not None:
        raise SettingsError(
            f"the venue's account {path} is damaged at byte {place}: "
            "expected a record, found bytes that no kill leaves, with records behind them",
            "Restore it from a backup, or move the world's folder away to begin a new one",
        )
    return (records if place else None), place


def _batches(data: bytes) -> Iterator[tuple[Batch, int]]:
    place = 0
    while (end := _end_of_record(data, place)) is not None:
        yield _decode(data[place + HEAD.size : end]), end
        place = end


def _end_of_record(data: bytes, place: int) -> int | None:
    if place + HEAD.size > len(data):
        return None
    mark, length, crc = HEAD.unpack_from(data, place)
    end = place + HEAD.size + int(length)
    body = memoryview(data)[place + HEAD.size : end]
    return end if mark == MARK and end <= len(data) and crc32(body) == crc else None


def _next_record(data: bytes, place: int) -> int | None:
    while (place := data.find(MARK, place)) >= 0:
        if _end_of_record(data, place) is not None:
            return place
        place += 1
    return None


def _size(records: Records) -> int:
    return sum(len(packed(batch)) for batch in records.whole())


def write_anew(path: Path, records: Records) -> None:
    """Write a log that holds what the records hold, and nothing that was overwritten."""
    draft = path.with_suffix(".tmp")
    _write_file(draft, (packed(batch) for batch in records.whole()))
    draft.replace(path)


def _write_file(path: Path, parts: Iterable[bytes]) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        for part in parts:
            write_whole(fd, part)
        sync_file(fd)
    finally:
        os.close(fd)
