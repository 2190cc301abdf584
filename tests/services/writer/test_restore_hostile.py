"""Bundles from anybody: whatever is wrong with one is said, with the entry, and leaves nothing."""

import contextlib
import hashlib
import io
import shutil
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bus.errors import HouseError
from services.writer.backup_bundle import write_bundle
from services.writer.backup_manifest import DamagedError, Manifest, encoded
from services.writer.restore_bundle import unpack_bundle
from services.writer.restore_names import Names
from tests.services.writer.backup_desk import WORLD, Shelter, quiet

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Entry = tuple[str, bytes]


class Bundler(Shelter):
    """A world with one backup, and bundles of it as somebody else would make them."""

    def __init__(self, top: Path) -> None:
        super().__init__(top)
        self.top = top
        self.say(3)
        self.manifest = self.made()
        self.desk.store.close()

    def good(self, manifest: Manifest | None = None) -> list[Entry]:
        name = self.manifest.name
        packed = self.place.packed("daily", name).read_bytes()
        told = encoded(manifest or self.manifest)
        return [(f"daily/{name.text}.json", told), (f"daily/{name.text}.db.zst", packed)]

    def refused(self, bundle: Path, *words: str) -> None:
        """Assert that nothing comes of a bundle, and that it is said why."""
        before = sorted(self.top.rglob("*"))
        with pytest.raises(HouseError) as told:
            self.restored(self.top / "to", bundle)
        for word in (*words, bundle.name):
            assert word in str(told.value)
        assert sorted(self.top.rglob("*")) == before

    def tar(self, entries: list[Entry], *infos: tarfile.TarInfo) -> Path:
        path = self.top / "b.tar"
        with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
            for info in infos:
                tar.addfile(info)
            for name, data in entries:
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
        return path

    def zip(self, entries: list[Entry], *infos: zipfile.ZipInfo) -> Path:
        path = self.top / "b.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for info in infos:
                archive.writestr(info, b"/etc/passwd")
            for name, data in entries:
                archive.writestr(name, data)
        return path


@pytest.fixture
def bundler(tmp_path: Path) -> Bundler:
    return Bundler(tmp_path)


def both(bundler: Bundler) -> list[Callable[[list[Entry]], Path]]:
    return [bundler.tar, bundler.zip]


BAD_NAMES = {
    "absolute path": "/tmp/trading@20261130T030000Z.json",
    "`..`": "daily/../../trading@20261130T030000Z.json",
    "no name that we write": "daily\\trading@20261130T030000Z.json",
    "no backup, no manifest": "daily/.ssh",
    "no name that we": "C:/trading@20261130T030000Z.json",
    "is no backup": "daily/Trading@20261130T030000Z.json",
    "it is no name": "daily//trading@20261130T030000Z.json",
    "no manifest and": "daily/trading@20261130T030000Z.json.exe",
}


@pytest.mark.parametrize("why", BAD_NAMES)
def test_a_name_that_leads_elsewhere_is_refused(bundler: Bundler, why: str) -> None:
    for make in both(bundler):
        bundler.refused(make([(BAD_NAMES[why], b"{}"), *bundler.good()]), why)


def test_two_entries_of_one_name_are_refused(bundler: Bundler) -> None:
    good = bundler.good()
    bundler.refused(bundler.tar([*good, good[0]]), "there twice")
    other = (good[0][0].replace("daily", "weekly"), good[0][1])
    for make in both(bundler):
        bundler.refused(make([*good, other]), "there twice")


KINDS = {
    tarfile.LNKTYPE: "a link",
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
    tarfile.CONTTYPE: "no plain file",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
}


@pytest.mark.parametrize("kind", KINDS)
def test_links_and_devices_in_a_tar_are_refused(bundler: Bundler, kind: bytes) -> None:
    info = tarfile.TarInfo(f"daily/{bundler.manifest.name.text}.json")
    info.type, info.linkname = kind, "/etc/passwd"
    bundler.refused(bundler.tar(bundler.good(), info), KINDS[kind])


def test_a_link_in_a_zip_is_refused(bundler: Bundler) -> None:
    info = zipfile.ZipInfo(f"daily/{bundler.manifest.name.text}.json")
    info.external_attr = 0o120777 << 16
    bundler.refused(bundler.zip([], info), "no plain file")


def test_a_header_that_moves_the_next_entry_is_refused(bundler: Bundler) -> None:
    path = bundler.top / "b.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo(f"daily/{bundler.manifest.name.text}.json")
        info.pax_headers = {"path": "../../x"}
        tar.addfile(info)
    bundler.refused(path, "sets 'path'")
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        tar.addfile(tarfile.TarInfo("x" * 200))
    bundler.refused(path, "a long name")


def test_times_in_an_extended_header_are_nobodys_business(bundler: Bundler) -> None:
    path = bundler.top / "b.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        folder = tarfile.TarInfo("./daily")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, data in bundler.good():
            info = tarfile.TarInfo(f"./{name}")
            info.size, info.pax_headers = len(data), {"mtime": "1.5"}
            tar.addfile(info, io.BytesIO(data))
    assert len(bundler.restored(bundler.top / "to", path).shards) == 1


def test_more_than_the_manifest_says_is_never_unpacked(bundler: Bundler) -> None:
    (told, (name, packed)) = bundler.good()
    bomb = bytes(64 << 20)
    for make in both(bundler):
        bundler.refused(make([told, (name, bomb)]), "its manifest says", name)
    whole = bundler.top / "b.tar.zst"
    plain = bundler.tar([told, (name, bomb)])
    whole.write_bytes(zstd.compress(plain.read_bytes()))
    plain.unlink()
    assert whole.stat().st_size < 1 << 16
    bundler.refused(whole, "its manifest says")
    assert packed


def test_a_backup_that_is_a_bomb_stops_at_the_size_of_its_manifest(bundler: Bundler) -> None:
    bomb = zstd.compress(bytes(64 << 20))
    lying = msgspec.structs.replace(
        bundler.manifest, packed_bytes=len(bomb), sha256=hashlib.sha256(bomb).hexdigest()
    )
    (told, (name, _)) = bundler.good(lying)
    with pytest.raises(DamagedError, match="unpacks to more than"):
        bundler.restored(bundler.top / "to", bundler.tar([told, (name, bomb)]))
    assert not (bundler.top / "to").exists()


def test_a_manifest_that_claims_more_than_the_drive_has_is_refused(bundler: Bundler) -> None:
    lying = msgspec.structs.replace(bundler.manifest, bytes=1 << 60)
    with pytest.raises(HouseError, match="are needed"):
        bundler.restored(bundler.top / "to", bundler.tar(bundler.good(lying)))
    assert not (bundler.top / "to").exists()


def test_a_file_before_its_manifest_is_refused_in_a_tar(bundler: Bundler) -> None:
    bundler.refused(bundler.tar(bundler.good()[::-1]), "must come before it")
    bundler.refused(bundler.tar(bundler.good()[1:]), "must come before it")
    bundler.refused(bundler.zip(bundler.good()[1:]), "must come before it")


def test_a_bundle_without_a_file_that_it_names_is_refused(bundler: Bundler) -> None:
    for make in both(bundler):
        bundler.refused(make(bundler.good()[:1]), "is not whole")
        bundler.refused(make([("x/bundle.json", b"{"), *bundler.good()]), "bundle.json")
        named = b'{"world":"w","files":["daily/other@20261130T030000Z.json"]}'
        bundler.refused(make([("bundle.json", named), *bundler.good()]), "daily/other@")


def test_entries_without_end_and_of_no_sense_are_refused(bundler: Bundler) -> None:
    names = Names("b.tar")
    for _ in range(100_000):
        names.pass_folder("daily")
    with pytest.raises(DamagedError, match="more than 100000 entries"):
        names.pass_folder("daily")
    bundler.refused(bundler.tar([("daily/" + "a" * 80 + ".json", b"")]), "is no backup")
    bundler.refused(bundler.tar([("bundle.json", bytes(2 << 20))]), "a manifest has no")


@pytest.mark.parametrize("suffix", [".tar", ".tar.zst", ".zip"])
def test_a_bundle_that_is_no_archive_at_all_is_refused(bundler: Bundler, suffix: str) -> None:
    path = bundler.top / f"b{suffix}"
    for data in (b"", b"x" * 5000, b"PK\5\6" + b"\xff" * 18):
        path.write_bytes(data)
        bundler.refused(path)


@pytest.mark.parametrize("suffix", [".tar", ".tar.zst", ".zip"])
def test_a_bundle_cut_anywhere_is_refused(bundler: Bundler, suffix: str) -> None:
    path = bundler.top / f"b{suffix}"
    write_bundle(bundler.place, ["analytics"], WORLD, path, quiet)
    data = path.read_bytes().rstrip(b"\0") if suffix == ".tar" else path.read_bytes()
    for cut in range(0, len(data), max(1, len(data) // 23)):
        path.write_bytes(data[:cut])
        bundler.refused(path)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(places=st.lists(st.tuples(st.floats(0, 1), st.integers(1, 255)), min_size=1, max_size=4))
@pytest.mark.parametrize("suffix", [".tar", ".tar.zst", ".zip"])
def test_a_spoiled_bundle_gives_what_was_in_it_or_a_refusal(
    bundler: Bundler, suffix: str, places: list[tuple[float, int]]
) -> None:
    path = bundler.top / f"b{suffix}"
    path.unlink(missing_ok=True)
    write_bundle(bundler.place, ["analytics"], WORLD, path, quiet)
    data = bytearray(path.read_bytes())
    for share, flip in places:
        data[int(share * (len(data) - 1))] ^= flip
    path.write_bytes(data)
    target = bundler.top / "out"
    with contextlib.suppress(HouseError):
        unpack_bundle(path, target, quiet)
    for found in target.rglob("*"):
        assert found.is_dir() or found.parent.name in {"daily", "archive", "out"}
        assert not found.is_symlink()
    shutil.rmtree(target, ignore_errors=True)
