"""The keys of an exchange: read by the gateway alone, from the keychain or a file of this user's.

A file of keys is read only where nobody else can have read or replaced it. What is in it appears in
no message: neither a failure nor the text of an object shows a key.
"""

import importlib
import importlib.util
import os
import resource
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from bus.errors import SettingsError
from schema.setting_types import PLAY_KEY, PLAY_KEYS
from schema.settings import ExchangeSettings

FILE = "secrets.toml"
SERVICE = "rrr"
"""Under which the keychain keeps what is this product's."""

BYTES_MAX = 1 << 16
SET = "rrr keys set"
CLOSED = frozenset({"fail", "null", "chainer"})
"""Modules of keychains that keep nothing, or that are several."""


class Keys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What signs the requests to one account, as it is kept too; its text shows neither."""

    key: str
    secret: str

    def __repr__(self) -> str:
        return "Keys(…)"

    def __rich_repr__(self) -> Any:
        yield "…"


def slot_of(exchange: ExchangeSettings) -> str:
    """Return the name under which the keys of the account of the settings are kept."""
    return f"{exchange.name}-{exchange.account}".lower()


def read_keys(root: Path, exchange: ExchangeSettings) -> Keys:
    """Return the keys of the account of the settings; SettingsError when there are none to use."""
    _leave_no_core()
    slot = slot_of(exchange)
    found = of_keychain(slot) or slots_of(root / FILE).get(slot)
    if found is None:
        raise SettingsError(
            f"there are no keys for {slot}, neither in a keychain nor in {root / FILE}", f"`{SET}`"
        )
    if flaw := unsound(found):
        raise SettingsError(f"the keys of {slot} are none: {flaw}", f"`{SET}`")
    _require_own_kind(found, exchange)
    return found


def unsound(keys: Keys) -> str:
    """Return why a key or a secret cannot be one, without showing it; empty when both can."""
    for name, text in (("key", keys.key), ("secret", keys.secret)):
        if not text or not (text.isascii() and text.isprintable()) or " " in text:
            return f"the {name} is empty, or holds what no {name} has"
    return ""


def _require_own_kind(keys: Keys, exchange: ExchangeSettings) -> None:
    # A real key is never sent to a stand-in, and play money never to an exchange.
    plays = keys.key in PLAY_KEYS
    if exchange.url and not plays:
        raise SettingsError(
            f"`exchange.url` is {exchange.url}: a stand-in gets the key for play alone, and the "
            f"keys of {slot_of(exchange)} are others",
            f"Leave `exchange.url` empty, or give the rehearsal the key {PLAY_KEY}: `{SET}`",
        )
    if plays and not exchange.url:
        raise SettingsError(
            f"the keys of {slot_of(exchange)} are those for play, which no exchange takes",
            f"`{SET}`, or set `exchange.url` for a rehearsal",
        )


def slots_of(path: Path) -> dict[str, Keys]:
    """Return the keys in a file by account, none where it is not there."""
    try:
        text = _read(path)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be read: {error.strerror}", "It is a plain file, of this user alone"
        ) from None
    try:
        return msgspec.convert(tomllib.loads(text.decode()), dict[str, Keys])
    except (ValueError, RecursionError, msgspec.MsgspecError):  # It may quote a line of the file.
        raise SettingsError(
            f"{path} does not read: expected a table [EXCHANGE-ACCOUNT] with `key` and `secret`",
            f"Mend it; or move it away, and `{SET}` writes a new one",
        ) from None


def _read(path: Path) -> bytes:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    fd = os.open(path, flags)  # A pipe in its place is not waited for, a link is not followed.
    try:
        if flaw := _flaw(path, os.fstat(fd)):
            raise SettingsError(*flaw)
        found = os.read(fd, BYTES_MAX + 1)
        if len(found) > BYTES_MAX:  # Whoever wrote it back would leave out the accounts at its end.
            raise SettingsError(f"{path} has more than {BYTES_MAX} bytes", "It holds keys alone")
        return found
    finally:
        os.close(fd)


def file_flaw(path: Path) -> str:
    """Return what is wrong with the file of keys, without reading it; empty for nothing."""
    try:
        flaw = _flaw(path, path.lstat())
    except FileNotFoundError:
        return f"{path} is not there. `{SET}`"
    except OSError as error:
        return f"{path} cannot be looked at: {error.strerror}"
    return f"{flaw[0]}. {flaw[1]}" if flaw else ""


def _flaw(path: Path, found: os.stat_result) -> tuple[str, str] | None:
    rights, folder = stat.S_IMODE(found.st_mode), path.parent.stat()
    if not stat.S_ISREG(found.st_mode):
        return f"{path} is no plain file", "Put the file itself there"
    if found.st_uid != os.geteuid():
        return f"{path} belongs to another user", f"chown {os.geteuid()} '{path}'"
    if rights & 0o077:
        return f"{path} can be read by others: its mode is {rights:o}", f"chmod 600 '{path}'"
    if found.st_nlink > 1:
        return f"{path} has {found.st_nlink} names", "Remove the others"
    if folder.st_mode & stat.S_IWOTH:
        return f"everybody may write in {path.parent}", f"chmod o-w '{path.parent}'"
    return None


def of_keychain(slot: str) -> Keys | None:
    """Return keys that the keychain of this user holds; None without one."""
    chain = keychain()
    text = chain.get_password(SERVICE, slot) if chain is not None else None
    if not text:
        return None
    try:
        return msgspec.json.decode(text, type=Keys)
    except msgspec.MsgspecError:
        raise SettingsError(
            f"the keychain's entry {slot} of {SERVICE} does not read", f"`{SET} --keychain`"
        ) from None


def keychain() -> Any:
    """Return the keychain of this machine; None where there is none that keeps a secret.

    The library for it is an extra: it is looked for, and imported for real money alone.
    """
    if importlib.util.find_spec("keyring") is None:
        return None
    library = importlib.import_module("keyring")
    module = type(library.get_keyring()).__module__
    # Of the libraries beside it there are some that write secrets into a readable file.
    is_open = not module.startswith("keyring.backends.") or module.rpartition(".")[2] in CLOSED
    return None if is_open else library


def packed(keys: Keys) -> str:
    """Return keys as a keychain keeps them."""
    return msgspec.json.encode(keys).decode()


def file_of(slots: Mapping[str, Keys]) -> bytes:
    """Return the file that holds keys by account."""
    lines = []
    for name, keys in slots.items():
        quoted = [msgspec.json.encode(text).decode() for text in (name, keys.key, keys.secret)]
        lines += [f"[{quoted[0]}]", f"key = {quoted[1]}", f"secret = {quoted[2]}", ""]
    return "\n".join(lines).encode()


def _leave_no_core() -> None:
    # What a process had in memory when it died is written to no file.
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
