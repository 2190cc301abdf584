"""Worlds: synthetic, replayed, paper and live data never meet.

A world's name follows from the settings; its folder carries world.json, written by the first
process that starts in it and compared by every other.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from bus.disk import put_whole
from bus.errors import SettingsError
from schema.settings import Settings, VenueSettings

FOLDERS = ("db", "journal", "archive", "backups/daily", "backups/weekly", "backups/monthly")
HASH_CHARS = 8
ACCOUNT_CHARS = 4


class World(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What makes two sets of data belong together."""

    name: str
    mode: str
    exchange: str = ""
    account: str = ""
    market: str = ""
    seed: int = 0
    symbols: tuple[str, ...] = ()  # of a replay; a synthetic market may be traded in more later
    start: str = ""
    files: tuple[str, ...] = ()  # blake2b of the contents of each replayed file

    def settle(self, directory: Path) -> None:
        """Make the folders; SettingsError when another world lives there already."""
        try:
            for folder in FOLDERS:
                (directory / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
            with _locked(directory):
                self._write_or_compare(directory / "world.json")
        except OSError as error:
            raise SettingsError(
                f"the world's folder {directory} cannot be written: {error}",
                "Free space or mend its permissions; RRR_HOME moves it elsewhere",
            ).of_disk(error) from error

    def _write_or_compare(self, path: Path) -> None:
        if not path.exists():
            put_whole(path, msgspec.json.format(msgspec.json.encode(self)) + b"\n")
            return
        found = _read(path)
        if found != self:
            raise SettingsError(
                f"the settings lead to the world {_text(self)}, but {path} says {_text(found)}",
                "Set back what changed, or move that folder away to begin a new world",
            )


def describe(settings: Settings) -> World:
    """Return the world that the settings lead to."""
    match settings.mode:
        case "paper" | "live":
            return _at_exchange(settings)
        case "backtest":
            return World(name="backtest", mode="backtest")
        case "local" if settings.venue.market == "replay":
            return _replayed(settings.venue)
    seed = settings.venue.seed
    return World(name=f"local-synthetic-{seed}", mode="local", market="synthetic", seed=seed)


def _at_exchange(settings: Settings) -> World:
    exchange = settings.exchange
    # What a stand-in prints never stands beside what the exchange printed, nor before its history.
    place = f"{exchange.name}-standin" if exchange.url else exchange.name
    name = f"{settings.mode}-{place}"
    if settings.mode == "paper":
        return World(name=name, mode="paper", exchange=place)
    tag = exchange.account[:ACCOUNT_CHARS].lower()
    if len(tag) < ACCOUNT_CHARS or not (tag.isascii() and tag.isalnum()):
        raise SettingsError(
            f"`exchange.account` is {exchange.account!r}: expected four letters or digits or "
            "more in live mode, so that one account's books never meet another's",
            "Set it in settings.local.toml",
        )
    return World(name=f"{name}-{tag}", mode="live", exchange=place, account=exchange.account)


def _replayed(venue: VenueSettings) -> World:
    if not venue.replay:
        raise SettingsError(
            "`venue.market` is replay and `venue.replay` names no file",
            "Set RRR_VENUE__REPLAY=/path/to/file.csv.gz",
        )
    bars = [name for name in venue.replay if is_bar_file(name)]
    if bars and len(bars) != len(venue.symbol):
        raise SettingsError(
            f"a replay needs one symbol for each CSV file: found {len(bars)} CSV files "
            f"and {len(venue.symbol)} symbols ({' '.join(venue.symbol)})",
            'Set RRR_VENUE__SYMBOL=BTC/USDT, or a list such as ["BTC/USDT","ETH/USDT"]',
        )
    files = tuple(_hash_of(Path(name)) for name in venue.replay)
    said = "\0".join((*files, *venue.symbol, venue.start, str(venue.seed)))
    digest = hashlib.blake2b(said.encode(), digest_size=HASH_CHARS // 2).hexdigest()
    return World(
        name=f"replay-{digest}",
        mode="local",
        market="replay",
        seed=venue.seed,  # which trades a bar is made of hangs on it
        symbols=venue.symbol,
        start=venue.start,
        files=files,
    )


def is_bar_file(name: str) -> bool:
    """Return whether a replay file holds bars; a raw recording names its symbols itself."""
    return name.lower().endswith((".csv", ".csv.gz"))


def _hash_of(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():
            raise SettingsError(f"`venue.replay` names {path}, which is no file", "Name a file")
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError as error:
        raise SettingsError(
            f"`venue.replay` names {path}, which cannot be read: {error.strerror}",
            "Name files that exist and that this user may read",
        ) from error


def _read(path: Path) -> World:
    try:
        return msgspec.json.decode(path.read_bytes(), type=World)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{path} is damaged: {error}", "Restore it from a backup, or move the folder away"
        ) from error


def _text(world: World) -> str:
    fields = {key: value for key, value in msgspec.to_builtins(world).items() if value}
    rest = " ".join(f"{key}={value}" for key, value in fields.items() if key != "name")
    return f"{world.name} ({rest})"


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    # Several processes start at once; one at a time looks at the world's file.
    fd = os.open(directory / "world.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
