"""Changes single settings in settings.local.toml, and leaves all else in it as it was.

Whoever keeps notes and an order of their own in that file finds them again after a command.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bus.coherence import require_coherence
from bus.disk import sync_directory, sync_file
from bus.errors import SettingsError
from bus.settings import LOCAL, load, parse_file
from schema.strategy import Scalar
from services.rrr.toml_text import Keys, cut, put_value

NEW_FILE_MODE = 0o600
"""Nobody else reads what somebody trades with."""


def put(root: Path, name: str, changes: Mapping[str, Scalar | tuple[str, ...]]) -> None:
    """Set keys of [strategy.NAME], as `budget` or `params.fast`; make the table if need be.

    The file stays as it was when the settings would be refused with them: SettingsError.
    """
    put_all(root, {("strategy", name, *key.split(".")): it for key, it in changes.items()})


def put_all(root: Path, changes: Mapping[Keys, Scalar | tuple[str, ...]]) -> None:
    """Set keys of any tables, and make these if need be; as `put` otherwise."""
    path, text = _read(root)
    wanted, changed = parse_file(path, text), text
    for keys, value in changes.items():
        plain = list(value) if isinstance(value, tuple) else value
        changed = put_value(changed, keys, plain)
        _table(wanted, keys[:-1])[keys[-1]] = plain
    tables = " ".join(dict.fromkeys(f"[{keys[0]}]" for keys in changes))
    _write(root, path, (text, changed), wanted, tables)


def drop(root: Path, name: str) -> None:
    """Remove [strategy.NAME] with all below it; a shipped strategy then is as it was shipped."""
    path, text = _read(root)
    wanted = parse_file(path, text)
    strategies = wanted.get("strategy")
    if isinstance(strategies, dict):
        strategies.pop(name, None)
    _write(root, path, (text, cut(text, ("strategy", name))), wanted)


def _read(root: Path) -> tuple[Path, str]:
    path = (root / LOCAL).resolve()  # A link is written through, never replaced.
    if path.exists() and not path.is_file():
        raise SettingsError(f"{path} is no file", f"Put a file in place of {root / LOCAL}")
    try:
        return path, path.read_bytes().decode()
    except FileNotFoundError:
        return path, ""
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}", "Mend that file") from error


def _table(data: dict[str, Any], keys: Keys) -> dict[str, Any]:
    for key in keys:
        if not isinstance(data.get(key), dict):
            data[key] = {}  # In place of a value it is refused when the text is compared.
        data = data[key]
    return data


def _write(
    root: Path,
    path: Path,
    texts: tuple[str, str],
    wanted: Mapping[str, Any],
    tables: str = "[strategy]",
) -> None:
    before, after = texts
    _require_meant(path, after, wanted, tables)
    if before == after:
        return
    loaded = load(root, os.environ, after)
    require_coherence(loaded.settings, loaded.origins)
    try:
        _replace(path, after.encode())
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be written: {error}", "Free space or mend its permissions"
        ).of_disk(error) from error


def _require_meant(path: Path, text: str, wanted: Mapping[str, Any], tables: str) -> None:
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        found = {}
    if _filled(found) != _filled(wanted):
        raise SettingsError(
            f"{path} writes {tables} in a way that this command cannot change",
            "Change it by hand, or give each strategy a table [strategy.NAME] first"
            if tables == "[strategy]"
            else f"Change it by hand, or give it a table {tables} first",
        )


def _filled(data: Mapping[str, Any]) -> dict[str, Any]:
    # A table without keys means as much as none.
    tables = {key: _filled(it) if isinstance(it, dict) else it for key, it in data.items()}
    return {key: it for key, it in tables.items() if it != {}}


def _replace(path: Path, data: bytes) -> None:
    mode = path.stat().st_mode & 0o777 if path.exists() else NEW_FILE_MODE
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        draft.touch(NEW_FILE_MODE)
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            sync_file(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    sync_directory(path.parent)
