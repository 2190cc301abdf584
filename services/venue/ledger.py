"""What the venue remembers of its own: where its history begins, and how far its market has gone.

`rrr down` forgets the market clock; the next one must not begin earlier than what was already
shown. The ledger is written every few seconds and, so that a kill between two writes loses nothing,
says a little more than has passed. A clean stop writes the exact time.
"""

import os
from pathlib import Path

import msgspec

from bus.errors import SettingsError


class Ledger(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The venue's file."""

    first_ns: int  # the market time at which this world first began
    market_ns: int  # no market time later than this was ever shown


def ledger_path(world_dir: Path) -> Path:
    """Return where a world keeps its venue's ledger."""
    return world_dir / "venue" / "ledger.json"


def read_ledger(path: Path) -> Ledger | None:
    """Return what was kept, None when the world is new."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Ledger)
    except FileNotFoundError:
        return None
    except (msgspec.MsgspecError, OSError) as error:
        raise SettingsError(
            f"the venue's ledger {path} cannot be read: {error}",
            "Restore it from a backup, or move the world's folder away to begin a new one",
        ) from error


def write_ledger(path: Path, ledger: Ledger) -> None:
    """Write the file whole or not at all, through to the disk; SettingsError when it cannot be."""
    draft = path.with_suffix(".tmp")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with draft.open("wb") as file:
            file.write(msgspec.json.encode(ledger))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise SettingsError(
            f"the venue's ledger {path} cannot be written: {error.strerror}",
            "Free space or mend its permissions; RRR_HOME moves it elsewhere",
        ) from error
