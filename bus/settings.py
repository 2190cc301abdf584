"""Reads the settings: three sources laid over each other, then one check against their types."""

import difflib
import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from bus.errors import SettingsError
from schema.settings import PortSettings, Section, Settings, VenueSettings

SHIPPED = "settings.toml"
LOCAL = "settings.local.toml"
PREFIX = "RRR_"
PLACES = ("RRR_HOME", "RRR_RUN")
MODES = ("MODE", "RRR_MODE")
PORTS_PER_HOUSE = 10

Table = dict[str, Any]


class Loaded(msgspec.Struct, frozen=True):
    """Settings, what a person sees of them, and where each came from."""

    settings: Settings
    origins: Mapping[str, str]
    rows: tuple[tuple[str, str, str], ...] = ()  # name, value as set, origin


def load(root: Path, environ: Mapping[str, str]) -> Loaded:
    """Return the settings of a checkout; SettingsError names what is wrong and where it stands."""
    merged: Table = {}
    origins: dict[str, str] = {}
    for name in (SHIPPED, LOCAL):
        _lay(merged, _read(root / name), name, origins)
    for variable, text in _variables(environ):
        _lay(merged, _from_variable(variable, text), variable, origins)
    return _loaded(merged, origins, root)


def load_shipped(root: Path) -> Loaded:
    """Return the shipped defaults alone, for verbs that must work when the rest is broken."""
    merged: Table = {}
    origins: dict[str, str] = {}
    _lay(merged, _read(root / SHIPPED), SHIPPED, origins)
    return _loaded(merged, origins, root)


def _loaded(merged: Table, origins: dict[str, str], root: Path) -> Loaded:
    _require_all(merged)
    settings = _in_its_mode(_checked(merged, origins), origins)
    rows = tuple((name, _shown(value), origins[name]) for name, value in _leaves(settings))
    return Loaded(_adjusted(settings, root), origins, rows)


def _variables(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for variable, text in sorted(environ.items()):
        if variable in MODES:
            if text:  # `MODE= make up` means what no MODE means.
                yield variable, text
        elif variable.startswith(PREFIX) and variable not in PLACES:
            yield variable, text


def _read(path: Path) -> Table:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        if path.name == LOCAL:
            return {}
        raise SettingsError(
            f"{path} is missing", "Restore it: `git checkout settings.toml`"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise SettingsError(f"{path} cannot be read: {error}", "Mend that file") from error


def _from_variable(variable: str, text: str) -> Table:
    if variable in MODES:
        return {"mode": text}
    section, found, key = variable.removeprefix(PREFIX).lower().partition("__")
    if not found:
        near = difflib.get_close_matches(variable, PLACES, n=1)
        raise SettingsError(
            f"{variable} is no setting: expected RRR_SECTION__KEY, RRR_HOME or RRR_RUN",
            f"Unset it, or write {near[0]}" if near else "Unset it, or name a section and a key",
        )
    return {section: {key: _Text(text)}}


class _Text(str):
    """A value from the environment: its type is not known before the setting's is."""

    __slots__ = ()


def _lay(merged: Table, table: Table, source: str, origins: dict[str, str]) -> None:
    for name, value in table.items():
        kind = _kind(Settings, name, name, source)
        if not _is_section(kind):
            merged[name], origins[name] = value, source
            continue
        if not isinstance(value, dict):
            raise SettingsError(
                f"{source}: `{name}` is {value!r}: expected a table [{name}]", f"Mend {source}"
            )
        section = merged.setdefault(name, {})
        for key, inner in value.items():
            dotted = f"{name}.{key}"
            section[key] = _parsed(inner, _kind(kind, key, dotted, source))
            origins[dotted] = source


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Section)


def _kind(section: type[Section], name: str, dotted: str, source: str) -> Any:
    kinds = get_type_hints(section)
    if name not in kinds:
        raise SettingsError(
            f"{source}: unknown setting `{dotted}`; the nearest is `{_nearest(dotted)}`",
            f"Mend or remove it in {source}",
        )
    return kinds[name]


def _nearest(dotted: str) -> str:
    section, _, key = dotted.rpartition(".")
    names = ["mode", *(name for name in get_type_hints(Settings) if name != "mode")]
    keys = [name for name in _names() if "." in name]
    here = [name for name in keys if name.startswith(f"{section}.")]
    known = {name.rpartition(".")[2]: name for name in (keys + here if section else keys + names)}
    near = difflib.get_close_matches(key, known, n=1)
    if near:
        return known[near[0]]
    return difflib.get_close_matches(dotted, here or names, n=1, cutoff=0.0)[0]


def _names() -> Iterator[str]:
    for name, kind in get_type_hints(Settings).items():
        if _is_section(kind):
            yield from (f"{name}.{key}" for key in get_type_hints(kind))
        else:
            yield name


def _parsed(value: Any, kind: Any) -> Any:
    if get_origin(kind) is tuple:
        return value if isinstance(value, list) else _list(value)
    if not isinstance(value, _Text):
        return value
    if kind is bool:
        return {"true": True, "false": False}.get(value.lower(), str(value))
    return _number(value, kind) if kind in {int, float} else str(value)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, _Text):
        return [value]
    text = str(value)
    if text.lstrip().startswith("["):
        try:
            return list(json.loads(text))
        except ValueError:
            return [text]  # The check against its type, or the missing file, names it.
    return [text] if text else []


def _number(text: str, kind: type[int] | type[float]) -> Any:
    try:
        return kind(text)
    except ValueError:
        return str(text)  # The check against its type names it.


def _require_all(merged: Table) -> None:
    for dotted in _names():
        section, _, key = dotted.rpartition(".")
        if key not in (merged.get(section, {}) if section else merged):
            raise SettingsError(
                f"{SHIPPED}: `{dotted}` is missing", f"Restore it: `git checkout {SHIPPED}`"
            )


def _checked(merged: Table, origins: Mapping[str, str]) -> Settings:
    try:
        return msgspec.convert(merged, Settings)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$.")
        dotted = where.rstrip("`").partition("[")[0]
        section, _, key = dotted.rpartition(".")
        found = (merged[section] if section else merged)[key]
        source, choices = origins[dotted], _choices(dotted)
        many = "some" if isinstance(found, list) else "one"
        said = f"expected {many} of {', '.join(choices)}" if choices else what
        raise SettingsError(
            f"{source}: `{dotted}` is {found!r}: {said}", f"Mend it in {source}"
        ) from error


def _choices(dotted: str) -> tuple[str, ...]:
    section, _, key = dotted.rpartition(".")
    kind = get_type_hints(get_type_hints(Settings)[section] if section else Settings)[key]
    if get_origin(kind) is tuple:  # a list of them
        kind = get_args(kind)[0]
    return get_args(kind) if get_origin(kind) is Literal else ()


def _in_its_mode(settings: Settings, origins: dict[str, str]) -> Settings:
    """Let local mode alone choose how fast its market runs."""
    if settings.mode == "local":
        return settings
    origin, scale = origins["clock.scale"], settings.clock.scale
    if origin != SHIPPED and scale != 1:
        raise SettingsError(
            f"{origin}: `clock.scale` is {scale:g}: in {settings.mode} mode the market runs at 1",
            "Remove it, or choose another mode",
        )
    origins["clock.scale"] = f"mode {settings.mode}"
    return msgspec.structs.replace(settings, clock=msgspec.structs.replace(settings.clock, scale=1))


def _adjusted(settings: Settings, root: Path) -> Settings:
    changed: dict[str, Any] = {
        name: _scaled(section, settings.clock.scale)
        for name, section in msgspec.structs.asdict(settings).items()
        if isinstance(section, Section)
    }
    changed["ports"] = _ports(settings)
    changed["venue"] = _placed(changed["venue"], root)
    heard = settings.ingest.symbols or tuple(dict.fromkeys(settings.venue.symbol))
    changed["ingest"] = msgspec.structs.replace(changed["ingest"], symbols=heard)
    return msgspec.structs.replace(settings, **changed)


def _ports(settings: Settings) -> PortSettings:
    shift = PORTS_PER_HOUSE * settings.house.number
    ports = {name: port + shift for name, port in msgspec.structs.asdict(settings.ports).items()}
    try:
        return msgspec.convert(ports, PortSettings)
    except msgspec.ValidationError as error:
        raise SettingsError(
            f"the ports of house {settings.house.number} are {ports}: {error}",
            "Choose a smaller `house.number`, or smaller ports in settings.local.toml",
        ) from error


def _placed(venue: VenueSettings, root: Path) -> VenueSettings:
    files = tuple(str(place(root, name, "venue.replay")) for name in venue.replay)
    return msgspec.structs.replace(venue, replay=files)


def place(root: Path, text: str, name: str) -> Path:
    """Return the path that a setting names: the same one for every process of the house."""
    if "\0" in text:
        raise SettingsError(f"`{name}` is {text!r}: a path has no NUL in it", "Write another path")
    try:
        return root / Path(text).expanduser()
    except RuntimeError as error:
        raise SettingsError(f"`{name}` is {text!r}: {error}", "Write the path out") from error


def _scaled(section: Section, scale: float) -> Section:
    hints = get_type_hints(type(section), include_extras=True)
    real = {
        name: round(getattr(section, name) * scale)
        for name, kind in hints.items()
        if _is_real(kind)
    }
    return msgspec.structs.replace(section, **real)


def _is_real(kind: Any) -> bool:
    metas = get_args(kind)[1:]
    return any(
        isinstance(m, msgspec.Meta) and (m.extra or {}).get("clock") == "real" for m in metas
    )


def _leaves(settings: Settings) -> Iterator[tuple[str, Any]]:
    for name in _names():
        section, _, key = name.rpartition(".")
        yield name, getattr(getattr(settings, section) if section else settings, key)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
