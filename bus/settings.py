"""Reads the settings: three sources laid over each other, then one check against their types."""

import difflib
import math
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from bus.errors import SettingsError
from bus.root import place
from bus.settings_tables import Table, bare, from_variable, known_names, lay, leaves
from schema.setting_types import Section
from schema.settings import PortSettings, Settings, StrategySettings, VenueSettings
from schema.settings_protection import ProtectionKind, ProtectionSettings
from schema.strategy import Scalar

SHIPPED = "settings.toml"
LOCAL = "settings.local.toml"
DEFAULT = "default"
"""Where a setting comes from that no source names."""

PREFIX = "RRR_"
PLACES = ("RRR_HOME", "RRR_RUN")
MODES = ("MODE", "RRR_MODE")
PORTS_PER_HOUSE = 10

NAMED: dict[str, type[Section]] = {"strategy": StrategySettings, "protection": ProtectionSettings}
"""Tables of which a person has as many as he likes, each by a name of its own."""

EXPECTED = {
    "file": "the path of its Python file",
    "budget": "the quote money that it trades with",
    "kind": f"one of {', '.join(get_args(ProtectionKind))}",
}


class Loaded(msgspec.Struct, frozen=True):
    """Settings, what a person sees of them, and where each came from."""

    settings: Settings
    origins: Mapping[str, str]
    rows: tuple[tuple[str, str, str], ...] = ()  # name, value as set, origin


def load(root: Path, environ: Mapping[str, str], local: str | None = None) -> Loaded:
    """Return the settings of a checkout; SettingsError names what is wrong and where it stands.

    `local` is looked at in place of what settings.local.toml says.
    """
    merged: Table = {}
    origins: dict[str, str] = {}
    lay(merged, _read(root / SHIPPED), SHIPPED, origins)
    mine = _read(root / LOCAL) if local is None else parse_file(root / LOCAL, local)
    lay(merged, mine, LOCAL, origins)
    for variable, text in _variables(environ):
        lay(merged, _from_variable(variable, text), variable, origins)
    return _loaded(merged, origins, root)


def load_shipped(root: Path) -> Loaded:
    """Return the shipped defaults alone, for verbs that must work when the rest is broken."""
    merged: Table = {}
    origins: dict[str, str] = {}
    lay(merged, _read(root / SHIPPED), SHIPPED, origins)
    return _loaded(merged, origins, root)


def _loaded(merged: Table, origins: dict[str, str], root: Path) -> Loaded:
    _require_all(merged, origins)
    settings = _in_its_mode(_checked(merged, origins), origins)
    shown = [(at.dotted, _shown(value)) for at, value in leaves(settings)]
    rows = tuple((name, text, origins.setdefault(name, DEFAULT)) for name, text in shown)
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
        return parse_file(path, path.read_bytes())
    except FileNotFoundError:
        if path.name == LOCAL:
            return {}
        raise SettingsError(
            f"{path} is missing", "Restore it: `git checkout settings.toml`"
        ) from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error}", "Mend that file") from error


def parse_file(path: Path, text: str | bytes) -> Table:
    """Return the tables in the text of a file; SettingsError names the line that is wrong."""
    try:
        return tomllib.loads(text if isinstance(text, str) else text.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}", "Mend that file") from error


def _from_variable(variable: str, text: str) -> Table:
    if variable in MODES:
        return {"mode": text}
    name = variable.removeprefix(PREFIX).lower()
    if "__" not in name:
        near = difflib.get_close_matches(variable, PLACES, n=1)
        raise SettingsError(
            f"{variable} is no setting: expected RRR_SECTION__KEY, RRR_HOME or RRR_RUN",
            f"Unset it, or write {near[0]}" if near else "Unset it, or name a section and a key",
        )
    return from_variable(name, text)


def _require_all(merged: Table, origins: Mapping[str, str]) -> None:
    for dotted in known_names():
        section, _, key = dotted.rpartition(".")
        if key not in (merged.get(section, {}) if section else merged):
            raise SettingsError(
                f"{SHIPPED}: `{dotted}` is missing", f"Restore it: `git checkout {SHIPPED}`"
            )
    for section, kind in NAMED.items():
        for name, table in merged.setdefault(section, {}).items():
            for field in msgspec.structs.fields(kind):
                if field.required and field.name not in table:
                    raise _incomplete(f"{section}.{name}", field.name, merged, origins)


def _incomplete(table: str, key: str, merged: Table, origins: Mapping[str, str]) -> SettingsError:
    section, _, name = table.partition(".")
    others = [other for other in merged[section] if other != name]
    near = difflib.get_close_matches(name, others, n=1)
    meant = f", or mend the name if you mean `{section}.{near[0]}`" if near else ""
    wanted = EXPECTED.get(key, "a value")
    return SettingsError(
        f"{origins[table]}: `{table}.{key}` is missing: expected {wanted}",
        f"Write `{key}` in [{table}]{meant}",
    )


def _checked(merged: Table, origins: Mapping[str, str]) -> Settings:
    try:
        settings = msgspec.convert(merged, Settings)
    except msgspec.ValidationError:
        raise next(_wrong(merged, origins)) from None
    for name, strategy in settings.strategy.items():
        for key, value in strategy.params.items():
            _require_plain(f"strategy.{name}.params.{key}", value, origins)
    return settings


def _wrong(merged: Table, origins: Mapping[str, str]) -> Iterator[SettingsError]:
    for (kind, dotted), found in leaves(merged):
        try:
            msgspec.convert(found, kind)
        except msgspec.ValidationError as error:
            what, source = str(error).partition(" - at `$")[0], origins[dotted]
            choices = _choices(bare(kind))
            many = "some" if isinstance(found, list) else "one"
            said = f"expected {many} of {', '.join(choices)}" if choices else what
            yield SettingsError(
                f"{source}: `{dotted}` is {found!r}: {said}", f"Mend it in {source}"
            )


def _require_plain(dotted: str, value: Scalar, origins: Mapping[str, str]) -> None:
    # A parameter is recorded with what it decided, and compared: neither holds for these.
    odd = not math.isfinite(value) if isinstance(value, float) else _is_huge(value)
    if odd:
        source = origins[dotted]
        raise SettingsError(
            f"{source}: `{dotted}` is {value!r}: expected a finite number of at most 64 bits",
            f"Mend it in {source}",
        )


def _is_huge(value: Scalar) -> bool:
    return isinstance(value, int) and not -(1 << 63) <= value < 1 << 63


def _choices(kind: Any) -> tuple[str, ...]:
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


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
