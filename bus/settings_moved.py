"""Settings that stand elsewhere now: whoever still has the old ones is told what to write."""

from collections.abc import Iterable
from typing import Any

from bus.errors import SettingsError

OF_A_STRATEGY = ("threshold", "pulse")
"""Sections that were one strategy each."""


def require_unmoved(dotted: str, value: Any, source: str) -> None:
    """Raise SettingsError with the new name of what stood here once."""
    if dotted in OF_A_STRATEGY:
        raise _moved(dotted, value if isinstance(value, dict) else {}, source)
    if dotted == "engine.strategies":
        raise _listed(value, source)


def _moved(section: str, keys: Iterable[str], source: str) -> SettingsError:
    names = {f"{section}.{key}": _now(section, key) for key in keys}
    names = names or {section: f"strategy.{section}"}
    said = ", ".join(f"`{old}` is now `{new}`" for old, new in names.items())
    write = " and ".join(_written(new, source) for new in names.values())
    return SettingsError(f"{source}: {said}", f"Remove the old, and write {write}")


def _now(section: str, key: str) -> str:
    return f"strategy.{section}.{'' if key == 'budget' else 'params.'}{key}"


def _listed(value: Any, source: str) -> SettingsError:
    still = str(value)
    off = [name for name in OF_A_STRATEGY if name not in still]
    write = " and ".join(_written(f"strategy.{name}.mode", source, "off") for name in off)
    return SettingsError(
        f"{source}: `engine.strategies` is gone: each strategy has a table [strategy.NAME], "
        'and trades while its `mode` is "trade"',
        f"Remove it{f', and write {write}' if write else ''}",
    )


def _written(dotted: str, source: str, value: str = "") -> str:
    if source.startswith("RRR_"):
        variable = f"RRR_{dotted.replace('.', '__').upper()}"
        return f"{variable}={value}" if value else variable
    table, _, key = dotted.rpartition(".")
    return f'`{key} = "{value}"` in [{table}]' if value else f"`{key}` in [{table}]"
