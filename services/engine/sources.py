"""Reads a strategy's file with every local module that it imports, and keeps what once ran.

What is kept stands beside the journal by its digest, so that a recorded day runs again after an
edit.
"""

import ast
import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from bus.disk import make_directory, sync_directory, sync_file
from bus.errors import HouseError, JournalError, SettingsError
from bus.house import House
from bus.root import place
from bus.segments import failing
from schema.settings import StrategySettings
from schema.strategy import Offer, StrategiesOffered
from services.engine.bundle import (
    BUNDLE_BYTES_MAX,
    FOLDER,
    HOUSE,
    Files,
    bytes_in,
    digest_of,
    imported,
    prefixes,
    too_big,
)
from services.engine.libraries import warm

RESERVED = HOUSE | sys.stdlib_module_names | {"msgspec", "numpy"}
"""Names that never mean a file beside the strategy's."""

INIT = "__init__.py"
START_BYTES_MAX = 786_432
"""All sources travel to the engine as one input, and what a turn heard is one message."""

MODES = {"trade": "trade", "shadow": "shadow", "off": "trade"}
"""How an offered strategy runs; one that is off is offered to be looked at alone."""


class Kept(msgspec.Struct, frozen=True):
    """A source as it lies beside the journal."""

    file: str
    files: Files


class _UnreadableError(HouseError):
    """A file that does not become a part of a bundle."""

    def __init__(self, what: str) -> None:
        super().__init__(what, "Mend that file")


def offer_of(root: Path, name: str, settings: StrategySettings, symbols: tuple[str, ...]) -> Offer:
    """Return a strategy as the settings name it, with its source or with what is wrong with it."""
    files: Files = ()
    trouble = ""
    try:
        files = _bundle(Path(os.path.abspath(root)), settings.file)  # noqa: PTH100 - links stay
    except (_UnreadableError, SettingsError) as error:
        trouble = error.what
    except OSError as error:
        trouble = f"{settings.file}: what it imports cannot be read: {error.strerror}"
    return Offer(
        name=name,
        file=settings.file,
        digest=digest_of(files) if files else "",
        files=files,
        symbols=settings.symbols or symbols,
        budget=settings.budget,
        role=MODES[settings.mode],
        short=settings.short,
        params=settings.params,
        trouble=trouble,
    )


def offered(house: House, deaths: Sequence[tuple[str, int]]) -> StrategiesOffered:
    """Return what the engine starts with: all strategies, and in whom its last lives died."""
    offers = light(offers_of(house))
    warm(offers)
    return StrategiesOffered(offers=offers, deaths=tuple(deaths))


def light(offers: Sequence[Offer]) -> tuple[Offer, ...]:
    """Return offers that travel together; what is too much for that is left without its source."""
    found, total = [], 0
    for offer in offers:
        size = bytes_in(offer.files) + len(msgspec.msgpack.encode(offer.params))
        if total + size > START_BYTES_MAX:
            why = (
                f"{offer.file}: with those before it, all strategies have {total + size} bytes, "
                f"at most {START_BYTES_MAX} travel at a start: `rrr strategy reload {offer.name}` "
                "takes it alone"
            )
            bare = msgspec.structs.replace(offer, files=(), digest="", params={}, trouble=why)
            found.append(bare)
            continue
        total += size
        found.append(offer)
    return tuple(found)


def offers_of(house: House) -> tuple[Offer, ...]:
    """Return all strategies that the settings let run, their sources kept beside the journal."""
    symbols = house.settings.ingest.symbols or house.settings.venue.symbol
    offers = tuple(
        offer_of(house.root, name, settings, symbols)
        for name, settings in house.settings.strategy.items()
        if settings.mode != "off"
    )
    for offer in offers:
        if offer.digest:
            keep(house, offer)
    return offers


def _bundle(root: Path, file: str) -> Files:
    path = Path(os.path.abspath(place(root, file, "file")))  # noqa: PTH100 - links keep their name
    text = _read(path, root)
    base = _base(root, path)
    own = _name(path, base)
    if own.partition(".")[0] in RESERVED:
        raise _UnreadableError(f"{file}: `{own}` is the name of another module: rename the file")
    places = tuple(dict.fromkeys((path.parent, base, root)))
    texts = {own: text}
    waiting = [(own, path)]
    while waiting:
        module, at = waiting.pop()
        for found, where in _local(texts[module], module, at, places):
            if found not in texts:
                texts[found] = _read(where, root)
                waiting.append((found, where))
        _require_light(texts, file)
    return ((own, texts.pop(own)), *sorted(texts.items()))


def _base(root: Path, path: Path) -> Path:
    """Return the folder that a file's dotted name begins in."""
    if path.is_relative_to(root / FOLDER):
        return root
    base = path.parent
    while (base / INIT).is_file() and base != base.parent:
        base = base.parent
    return base


def _name(path: Path, base: Path) -> str:
    inner = path.relative_to(base)
    parts = inner.parent.parts if path.name == INIT else inner.with_suffix("").parts
    return ".".join(part.replace(".", "_") for part in parts)


def _local(
    text: str, module: str, path: Path, places: tuple[Path, ...]
) -> Iterator[tuple[str, Path]]:
    """Yield the modules that a text imports and that lie beside it, with their packages."""
    tree = ast.parse(text)
    for _, name in imported(tree, module, package=path.name == INIT):
        for part in prefixes(name):
            found = _find(part, places)
            if found is not None and found != path:
                yield part, found


def _find(name: str, places: tuple[Path, ...]) -> Path | None:
    parts = name.split(".")
    if parts[0] in RESERVED or not all(part.isidentifier() for part in parts):
        return None
    for base in places:
        whole = base.joinpath(*parts)
        for path in (whole / INIT, whole.with_name(f"{whole.name}.py")):
            if path.is_file():
                return path
    return None


def _read(path: Path, root: Path) -> str:
    shown = path.relative_to(root) if path.is_relative_to(root) else path
    try:
        if not path.is_file():
            raise _UnreadableError(f"{shown}: {'no file' if path.exists() else 'no such file'}")
        if path.stat().st_size > BUNDLE_BYTES_MAX:
            raise _UnreadableError(f"{shown}: {too_big(path.stat().st_size)}")
        text = importlib.util.decode_source(path.read_bytes())
        ast.parse(text)
    except SyntaxError as error:
        raise _UnreadableError(f"{shown} line {error.lineno or 1}: {error.msg}") from error
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        raise _UnreadableError(f"{shown} cannot be read: {said}") from error
    except (MemoryError, RecursionError) as error:  # The parser's own stack, not the machine's.
        raise _UnreadableError(f"{shown} is nested too deep to be read") from error
    return text


def _require_light(texts: dict[str, str], file: str) -> None:
    size = bytes_in(tuple(texts.items()))
    if size > BUNDLE_BYTES_MAX:
        raise _UnreadableError(f"{file}: {too_big(size)}")


def keep(house: House, offer: Offer) -> Path:
    """Write an offer's source beside the journal, once, and return where it lies."""
    assert offer.digest, "an offer without a source is not kept"
    path = _kept(house, offer.digest)
    if path.exists():
        return path
    draft = path.with_name(f"{offer.digest}.{os.getpid()}.tmp")
    with failing(path):
        make_directory(path.parent)
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(msgspec.json.encode(Kept(offer.file, offer.files)))
            file.flush()
            sync_file(file.fileno())
        draft.replace(path)
        sync_directory(path.parent)
    return path


def kept(house: House, digest: str) -> Files:
    """Return a source that once ran; JournalError when it is not there as it was written."""
    path = _kept(house, digest)
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Kept).files
    except (OSError, ValueError) as error:
        raise JournalError(
            f"{path} cannot be read: {error}", "Look for it in a backup of the journal"
        ) from error
    if digest_of(found) != digest:
        raise JournalError(
            f"{path} holds another source than its name says", "Take it from a backup"
        )
    return found


def _kept(house: House, digest: str) -> Path:
    return house.journal_dir / "engine" / "sources" / f"{digest}.json"
