"""All journals of one world, as one service opens them: on the disk, or in memory."""

import os
import zlib
from abc import ABC, abstractmethod
from pathlib import Path

from bus.clock import Clock
from bus.disk import sync_file
from bus.journal import (
    EpochCounter,
    JournalReader,
    JournalWriter,
    boot_id,
    open_reader,
    open_writer,
)
from bus.retention import Limits
from bus.segments import failing
from bus.upkeep import DiskUpkeep, Upkeep
from schema.streams import Stream

CRC_BYTES = 4


class Journals(ABC):
    """Opens the epochs, writers, readers and the snapshot of a service."""

    boot_id: str

    @abstractmethod
    def open_epoch(self, service: str) -> int:
        """Begin a new epoch, synced before anything is written in it."""

    @abstractmethod
    def writer(self, stream: Stream, epoch: int, code: str) -> JournalWriter:
        """Repair a stream's tail and open it for its one writer."""

    @abstractmethod
    def reader(self, stream: Stream) -> JournalReader:
        """Open a stream for reading; it may not exist yet."""

    @abstractmethod
    def load_snapshot(self, service: str) -> bytes | None:
        """Return the last snapshot; None when there is none, or it is damaged."""

    @abstractmethod
    def save_snapshot(self, service: str, data: bytes) -> None:
        """Replace the snapshot, whole or not at all."""

    def upkeep(self, service: str) -> Upkeep:
        """Return who puts a service's old segments away."""
        del service
        return Upkeep()


class DiskJournals(Journals):
    """`<journal_dir>/<service>/{EPOCH,snapshot,cursors,<channel>/}`; without limits all stays."""

    def __init__(self, directory: Path, clock: Clock, limits: Limits | None = None) -> None:
        self._limits = limits
        self._directory = directory
        self._clock = clock
        self.boot_id = boot_id()

    def open_epoch(self, service: str) -> int:
        return EpochCounter(self._directory / service).open()

    def writer(self, stream: Stream, epoch: int, code: str) -> JournalWriter:
        return open_writer(self._folder(stream), stream, epoch, self._clock, code)

    def reader(self, stream: Stream) -> JournalReader:
        return open_reader(self._folder(stream), stream, acts=True)

    def load_snapshot(self, service: str) -> bytes | None:
        try:
            data = self._snapshot(service).read_bytes()
        except FileNotFoundError:
            return None
        crc, body = data[:CRC_BYTES], data[CRC_BYTES:]
        return body if zlib.crc32(body).to_bytes(CRC_BYTES, "little") == crc else None

    def save_snapshot(self, service: str, data: bytes) -> None:
        path = self._snapshot(service)
        draft = path.with_suffix(".tmp")
        with failing(path):
            fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(zlib.crc32(data).to_bytes(CRC_BYTES, "little") + data)
                file.flush()
                sync_file(file.fileno())
            draft.replace(path)

    def upkeep(self, service: str) -> Upkeep:
        if self._limits is None:
            return super().upkeep(service)
        return DiskUpkeep(self._directory, service, self._limits, self._clock)

    def _snapshot(self, service: str) -> Path:
        return self._directory / service / "snapshot"

    def _folder(self, stream: Stream) -> Path:
        return self._directory / stream.owner / stream.channel
