"""A change of a strategy: as the settings would have it, as the engine is offered it, and undone.

The settings are the last word: what the engine takes stands in them, and what it refuses does not.
"""

import difflib
import fcntl
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from bus.coherence import require_coherence
from bus.errors import HouseError, SettingsError, UnreachableError
from bus.house import House
from bus.settings import LOCAL, load
from schema.settings import StrategySettings
from schema.strategy import Offer, Scalar
from services.engine import sources
from services.engine.boundary import Overran
from services.engine.loading import Loaded
from services.engine.loading import load as load_offer
from services.rrr.asking import asked
from services.rrr.strategy_rows import Row, engine_runs
from services.rrr.strategy_settings import NEW_FILE_MODE, put
from services.rrr.toml_text import put_value

Changes = Mapping[str, Scalar | tuple[str, ...]]
COMMAND_BYTES_MAX = 917_504
"""Of an offer as JSON, in which some characters take six bytes: a command is one frame."""

LOAD_S = 10
"""Of a processor, for the import of a file: it may never end."""

UNCHANGED = "Choose another value; nothing was changed"
SHOWN = 8
"""Characters of a digest that a person is shown."""


class Wish(NamedTuple):
    """A strategy as it would be."""

    name: str
    changes: Changes
    settings: StrategySettings
    offer: Offer
    loaded: Loaded


def wish_of(house: House, name: str, changes: Changes) -> Wish:
    """Return a strategy with some settings changed; HouseError when it would not load."""
    path = house.root / LOCAL
    text = path.read_text("utf-8") if path.exists() else ""
    for key, value in changes.items():
        plain = list(value) if isinstance(value, tuple) else value
        text = put_value(text, ("strategy", name, *key.split(".")), plain)
    try:
        found = load(house.root, os.environ, text)
        require_coherence(found.settings, found.origins)
    except SettingsError as error:
        raise HouseError(error.what.removeprefix(f"{LOCAL}: "), UNCHANGED) from error
    own = found.settings.strategy[name]
    heard = found.settings.ingest.symbols or found.settings.venue.symbol
    offer = sources.offer_of(house.root, name, own, heard)
    return Wish(name, changes, own, offer, _loaded(offer))


def _loaded(offer: Offer) -> Loaded:
    def end(*_: object) -> None:
        raise Overran

    before = signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, LOAD_S)
    try:
        return load_offer(offer)
    except Overran as error:
        raise HouseError(
            f"{offer.file}: it is not loaded after {LOAD_S} s of work",
            "What it does at its import belongs into its events",
        ) from error
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def known_name(house: House, name: str) -> StrategySettings:
    """Return the settings of a strategy; HouseError names the nearest one."""
    known = house.settings.strategy
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
        raise HouseError(
            f"no strategy is named {name!r}" + (f": the nearest is {near[0]!r}" if near else ""),
            "`rrr strategy list` shows them; `rrr strategy new NAME` writes one",
        )
    return known[name]


def carry_out(house: House, wish: Wish, why: str, refused: str) -> str:
    """Write what is wished for and offer it to the engine; return what is told of it.

    When the engine refuses it, the settings are put back as they were: HouseError.
    """
    running = engine_runs(house.run)
    text = msgspec.json.encode(wish.offer).decode()
    if len(text) > COMMAND_BYTES_MAX:
        raise HouseError(
            f"{wish.offer.file}: it has {len(text)} bytes on its way to the engine, "
            f"at most {COMMAND_BYTES_MAX} travel",
            "Write data that is no text into a shorter form",
        )
    with put_back(house.root):
        put(house.root, wish.name, wish.changes)
        if not running:
            return f"{wish.name} is written; no engine runs: it begins with the next `rrr up`"
        sources.keep(house, wish.offer)
        try:
            done = asked(house.run, "engine", "offer", (text, why))
        except UnreachableError as error:
            raise UnreachableError(
                error.what, f"{refused}; should it take it later, `rrr strategy list` shows it"
            ) from error
        if not done.ok:
            raise HouseError(f"the engine refused it: {done.text}", refused)
    return f"{wish.name} is loaded: {wish.offer.digest[:SHOWN]}, {wish.offer.role}"


@contextmanager
def put_back(root: Path) -> Iterator[None]:
    """Leave settings.local.toml as it was when what is done within fails; one at a time."""
    path = (root / LOCAL).resolve()
    with _alone(root):
        before = path.read_bytes() if path.is_file() else None
        done = False
        try:
            yield
            done = True
        finally:
            if not done:
                _restore(path, before)


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    # Two commands at once: the second reads what the first has written, or put back.
    folder = os.open(root, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _restore(path: Path, before: bytes | None) -> None:
    if before is None:
        if path.is_file():
            path.unlink()
    elif not path.exists() or path.read_bytes() != before:
        draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        draft.touch(path.stat().st_mode & 0o777 if path.exists() else NEW_FILE_MODE)
        draft.write_bytes(before)
        draft.replace(path)


def preview(house: House, wish: Wish, row: Row | None, *, whole: bool = False) -> list[str]:
    """Return what would change of a strategy, line by line; or the whole of what it would be."""
    offer = wish.offer
    if whole or row is None or "mode" not in row:
        return _as_new(wish)
    old = _running(house, wish, row)
    lines = [
        *_line("source", row["digest"][:SHOWN], offer.digest[:SHOWN]),
        *_line("mode", row["mode"], offer.role),
        *_line("budget", f"{row['budget']:g}", f"{offer.budget:g}"),
        *_line("short", row["short"], offer.short),
        *_line("symbols", _names(row), " ".join(offer.symbols)),
        *_params(old, row, wish),
        *_memory(old, wish),
    ]
    return lines or ["  nothing: it runs like that already"]


def _as_new(wish: Wish) -> list[str]:
    offer, params = wish.offer, msgspec.structs.asdict(wish.loaded.params)
    told = " ".join(f"{name}={value}" for name, value in params.items())
    short = ", may go short" if offer.short else ""
    trades = "decides and orders nothing" if offer.role == "shadow" else "orders"
    symbols = " ".join(offer.symbols)
    return [
        f"  {offer.name}: {offer.file} {offer.digest[:SHOWN]}",
        f"  {offer.role}: it {trades}, budget {offer.budget:g}{short}, in {symbols}",
        *([f"  {told}"] if told else []),
    ]


def _names(row: Row) -> str:
    return " ".join(one["symbol"] for one in row["symbols"])


def _line(what: str, before: object, after: object) -> list[str]:
    return [f"  {what}: {before} -> {after}"] if before != after else []


def _running(house: House, wish: Wish, row: Row) -> Loaded | None:
    """Return the class that runs now, from the source that was kept of it."""
    if row["digest"] == wish.offer.digest and row["params"] == wish.offer.params:
        return wish.loaded
    with suppress(HouseError):  # Then less of the difference is told.
        same = row["digest"] == wish.offer.digest
        files = wish.offer.files if same else sources.kept(house, row["digest"])
        offer = msgspec.structs.replace(
            wish.offer,
            files=files,
            digest=row["digest"],
            file=row["file"],
            params=row["params"],
            trouble="",
        )
        return load_offer(offer)
    return None


def _params(old: Loaded | None, row: Row, wish: Wish) -> list[str]:
    after = msgspec.structs.asdict(wish.loaded.params)
    before = msgspec.structs.asdict(old.params) if old is not None else dict(row["params"])
    names = dict.fromkeys([*before, *(after if old is not None else wish.offer.params)])
    return [
        line
        for name in names
        for line in _line(f"params.{name}", before.get(name, "none"), after.get(name, "none"))
    ]


def _memory(old: Loaded | None, wish: Wish) -> list[str]:
    if old is None or old.kind is wish.loaded.kind:
        return []
    before, after = (_fields(loaded) for loaded in (old, wish.loaded))
    fresh = [f"`{name}` begins with {after[name]!r}" for name in after if name not in before]
    gone = [f"`{name}` is forgotten" for name in before if name not in after]
    return [f"  state: {', '.join(fresh + gone)}"] if fresh or gone else []


def _fields(loaded: Loaded) -> dict[str, object]:
    return msgspec.structs.asdict(loaded.kind.State())
