"""Keys: read where this user alone can have put them, and shown nowhere."""

import os
import resource
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest

from bus.disk import volatile
from bus.errors import SettingsError
from schema.setting_types import PLAY_KEY
from schema.settings import ExchangeSettings
from services.gateway.keys import (
    FILE,
    Keys,
    file_flaw,
    file_of,
    keychain,
    packed,
    read_keys,
    slot_of,
    slots_of,
)

CANARY = "canary4f2a9d"
REAL = Keys("k3y", CANARY)
BINANCE = ExchangeSettings(name="binance", account="Main7", url="")


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory() as made:
        yield Path(made)


def put(folder: Path, keys: Keys = REAL, slot: str = "binance-main7") -> Path:
    path = folder / FILE
    path.write_bytes(file_of({slot: keys}))
    path.chmod(0o600)
    return path


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir(0o700)


def link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def refusal(folder: Path, exchange: ExchangeSettings = BINANCE) -> str:
    """Return what is said of keys that cannot be used; no secret is in it, however it is told."""
    with pytest.raises(SettingsError) as caught:
        read_keys(folder, exchange)
    whole = "".join(traceback.format_exception(caught.value))
    assert CANARY not in whole
    assert caught.value.exit_code == 78
    return str(caught.value)


def test_keys_come_from_a_file_of_this_user_alone(folder: Path) -> None:
    put(folder)
    found = read_keys(folder, BINANCE)
    assert (found.key, found.secret) == ("k3y", CANARY)


def test_each_account_has_keys_of_its_own(folder: Path) -> None:
    put(folder, slot=slot_of(msgspec.structs.replace(BINANCE, account="other")))
    assert "there are no keys for binance-main7" in refusal(folder)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda path: path.chmod(0o640), "chmod 600"),
        (lambda path: path.chmod(0o604), "chmod 600"),
        (lambda path: path.parent.chmod(0o777), "chmod o-w"),
        (lambda path: os.link(path, path.with_name("copy")), "2 names"),
        (link, "link"),
        (pipe, "no plain file"),
        (directory, "no plain file"),
        (lambda path: path.write_text(f'[x]\nsecret = "{CANARY}'), "does not read"),
        (lambda path: path.write_text(f'[x]\nkey = 5\nsecret = "{CANARY}"'), "does not read"),
        (lambda path: path.write_bytes(CANARY.encode() + b"\xff"), "does not read"),
        (lambda path: path.unlink(), "rrr keys set"),
    ],
)  # fmt: skip
def test_a_file_that_others_may_have_read_or_put_there_is_refused(
    folder: Path, spoil: Callable[[Path], object], told: str
) -> None:
    path = put(folder)
    spoil(path)
    assert told in refusal(folder)


def test_what_is_wrong_with_the_file_is_seen_without_reading_it(folder: Path) -> None:
    path = put(folder)
    assert file_flaw(path) == ""
    path.chmod(0o644)
    assert f"chmod 600 '{path}'" in file_flaw(path)
    path.unlink()
    assert "rrr keys set" in file_flaw(path)


def test_a_real_key_is_for_no_stand_in_and_play_money_for_no_exchange(folder: Path) -> None:
    put(folder)
    stand_in = msgspec.structs.replace(BINANCE, url="http://127.0.0.1:8090")
    assert "a stand-in gets the key for play alone" in refusal(folder, stand_in)
    put(folder, Keys(PLAY_KEY, CANARY))
    assert "those for play" in refusal(folder)
    assert read_keys(folder, stand_in).key == PLAY_KEY


def test_keys_show_themselves_to_nobody() -> None:
    shown = [repr(REAL), str(REAL), f"{REAL}", f"{[REAL]!r}", f"{ ({'x': REAL}) }"]
    assert not any(CANARY in text or "k3y" in text for text in shown)


def test_what_is_written_is_what_is_read(folder: Path) -> None:
    odd = Keys('a"b\\c', "\u00e9\n]=")
    path = put(folder, odd, slot="binance-a.b")
    assert slots_of(path) == {"binance-a.b": odd}
    assert msgspec.json.decode(packed(odd)) == {"key": odd.key, "secret": odd.secret}


def test_who_has_read_keys_leaves_no_core_behind(folder: Path) -> None:
    put(folder)
    read_keys(folder, BINANCE)
    assert resource.getrlimit(resource.RLIMIT_CORE)[0] == 0


def test_without_the_library_there_is_no_keychain() -> None:
    assert keychain() is None


MOUNTS = """\
22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw
30 22 0:25 / /tmp rw shared:2 - tmpfs tmpfs rw
31 22 8:2 / /mnt/a\\040disk rw - ext4 /dev/sdb rw
32 30 8:3 / /tmp/kept rw - ext4 /dev/sdc rw
line
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/me", ""),
        ("/tmp/house", "tmpfs"),
        ("/tmpfiles", ""),
        ("/mnt/a disk/house", ""),
        ("/tmp/kept/house", ""),
    ],
)
def test_a_file_system_that_a_restart_empties_is_named(folder: Path, path: str, kind: str) -> None:
    mounts = folder / "mountinfo"
    mounts.write_text(MOUNTS)
    assert volatile(Path(path), mounts) == kind
    assert volatile(Path(path), folder / "absent") == ""


@pytest.mark.parametrize("text", ["", "a b", "a\nX-Other: y", "ä"])
def test_a_text_that_is_no_key_is_never_sent(folder: Path, text: str) -> None:
    put(folder, Keys(text, CANARY))
    assert "the key is empty, or holds what no key has" in refusal(folder)
    put(folder, Keys("k3y", f"{CANARY}{text}" if text else ""))
    assert "the secret is empty" in refusal(folder)


@pytest.mark.parametrize("text", [b"x=" + b"[" * 50_000, b"\xff", b"[a]\nkey=1", b"= canary4f2a9d"])
def test_a_file_that_does_not_read_is_told_without_its_text(folder: Path, text: bytes) -> None:
    put(folder).write_bytes(text)
    assert "move it away" in refusal(folder)


def test_a_file_that_is_too_long_is_not_read_in_part(folder: Path) -> None:
    path = put(folder)
    path.write_bytes(path.read_bytes() + b"#" * 70_000)
    assert "more than 65536 bytes" in refusal(folder)
