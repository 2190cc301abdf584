"""Unpacks a bundle of backups by hand into a folder of ours: `.tar`, `.tar.zst` or `.zip`.

What is taken is bounded: by the manifest that must come before its file, and by the free space.
A refusal says which entry and why.
"""

import os
import stat
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from bus.month_names import ARCHIVED
from services.writer.backup_archives import sealed_of
from services.writer.backup_manifest import (
    MANIFEST_BYTES_MAX,
    PACKED,
    DamagedError,
    failing,
    read_manifest,
)
from services.writer.backup_proof import require_room
from services.writer.restore_names import BUNDLE_HINT, INDEX, Index, Names, owner_of
from services.writer.restore_tar import Entry, entries

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

SUFFIXES = (".tar", ".tar.zst", ".zip")
PIECE_BYTES = 1 << 18
DIRECTORY_BYTES_MAX = 16 << 20
END_BYTES = 22
COMMENT_BYTES_MAX = 1 << 16
METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
SEALED_HINT = "Take another bundle, or name the drive that the backups are on"

Tell = Callable[[float], None]


def is_bundle(path: Path) -> bool:
    """Return whether a file is named as a bundle is."""
    return path.name.lower().endswith(SUFFIXES)


def unpack_bundle(bundle: Path, target: Path, tell: Tell) -> None:
    """Unpack a bundle into a folder: `daily/` and `archive/` as a target of backups has them."""
    names = Names(str(bundle))
    with failing(bundle, SEALED_HINT), _reading(bundle):
        (target / "daily").mkdir(parents=True, mode=0o700)
        (target / "archive").mkdir(mode=0o700)
        if bundle.name.lower().endswith(".zip"):
            _unzip(bundle, target, names, tell)
        elif bundle.name.lower().endswith(".tar"):
            with bundle.open("rb") as file:
                _untar(entries(file, names), target, names, tell)
        else:
            with closing(zstd.ZstdFile(bundle)) as file:
                _untar(entries(file, names), target, names, tell)
    _require_all(bundle, target)


@contextmanager
def _reading(bundle: Path) -> Iterator[None]:
    try:
        yield
    except (
        *(zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, zstd.ZstdError),
        # What zipfile says of what it cannot read.
        *(EOFError, NotImplementedError, RuntimeError, ValueError, OverflowError, struct.error),
    ) as error:
        raise DamagedError(f"{bundle} is damaged: {error}", BUNDLE_HINT) from error


def _untar(found: Iterator[Entry], target: Path, names: Names, tell: Tell) -> None:
    for entry in found:
        placed = names.place(entry.name)
        _require_bounds(entry.name, placed, entry.size, target, names)
        _keep(entry.pieces(names), target / placed, tell)


def _unzip(bundle: Path, target: Path, names: Names, tell: Tell) -> None:
    _require_small_directory(bundle)
    with zipfile.ZipFile(bundle) as archive:
        placed = []
        for info in archive.infolist():
            _require_plain(info, names)
            if info.is_dir():
                names.pass_folder(info.filename)
            else:
                placed.append((names.place(info.filename), info))
        for place, info in sorted(placed, key=lambda one: (bool(owner_of(one[0])), one[0])):
            _require_bounds(info.filename, place, info.file_size, target, names)
            with archive.open(info) as file:
                _keep(_limited(file.read, info, names), target / place, tell)


def _limited(read: Callable[[int], bytes], info: zipfile.ZipInfo, names: Names) -> Iterator[bytes]:
    size = 0
    while data := read(PIECE_BYTES):
        size += len(data)
        if size > info.file_size:
            raise names.refusal(info.filename, f"it unpacks to more than {info.file_size} bytes")
        yield data
    if size != info.file_size:
        raise names.refusal(info.filename, f"it ends after {size} of {info.file_size} bytes")


def _require_plain(info: zipfile.ZipInfo, names: Names) -> None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or (kind == stat.S_IFDIR) > info.is_dir():
        raise names.refusal(info.filename, "it is no plain file")
    if info.orig_filename != info.filename:
        raise names.refusal(info.orig_filename, "it is no name that we write")
    if info.flag_bits & 1 or info.compress_type not in METHODS:
        raise names.refusal(info.filename, "it is encrypted, or packed in a way that we do not use")


def _require_small_directory(bundle: Path) -> None:
    """Refuse a zip whose list of entries alone would fill the memory."""
    with bundle.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - END_BYTES - COMMENT_BYTES_MAX))
        tail = file.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) < at + END_BYTES:
        raise DamagedError(f"{bundle} is damaged: it has no list of its entries", BUNDLE_HINT)
    listed = int.from_bytes(tail[at + 12 : at + 16], "little")
    if listed > DIRECTORY_BYTES_MAX:
        raise DamagedError(f"{bundle} is refused: its list has {listed} bytes", BUNDLE_HINT)


def _require_bounds(name: str, placed: str, size: int, target: Path, names: Names) -> None:
    """Refuse an entry that is larger than its manifest says, or than there is room for."""
    owner = owner_of(placed)
    if not owner and size > MANIFEST_BYTES_MAX:
        raise names.refusal(name, f"a manifest has no {size} bytes")
    if owner and not (target / owner).is_file():
        raise names.refusal(name, f"its manifest {Path(owner).name} must come before it")
    if placed.endswith(PACKED):
        told = read_manifest(target / owner).packed_bytes
        if told != size:
            raise names.refusal(name, f"it has {size} bytes, its manifest says {told}")
    if placed.endswith(ARCHIVED) and size != (told := sealed_of(target / placed).bytes):
        raise names.refusal(name, f"it has {size} bytes, its manifest says {told}")
    require_room(target, size, 0)


def _keep(pieces: Iterable[bytes], path: Path, tell: Tell) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        for piece in pieces:
            file.write(piece)
            tell(0.0)


def _require_all(bundle: Path, target: Path) -> None:
    """Refuse a bundle in which something is missing that it names."""
    expected = set(_index(bundle, target))
    for folder in ("daily", "archive"):
        for path in (target / folder).glob("*.json"):
            packed = PACKED if folder == "daily" else ARCHIVED
            expected.add(f"{folder}/{path.name.removesuffix('.json')}{packed}")
    missing = sorted(name for name in expected if not (target / name).is_file())
    if missing:
        raise DamagedError(
            f"{bundle} is not whole: {', '.join(missing[:3])} of {len(missing)} missing",
            BUNDLE_HINT,
        )


def _index(bundle: Path, target: Path) -> tuple[str, ...]:
    path = target / INDEX
    if not path.exists():
        return ()
    try:
        return msgspec.json.decode(path.read_bytes(), type=Index).files
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise DamagedError(f"{bundle} is damaged: its {INDEX}: {error}", BUNDLE_HINT) from error
