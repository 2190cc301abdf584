"""Which imported history lies behind a world: that of its exchange, and none behind made markets.

A place of history is a directory like a world's own, with `db/` and maybe `archive/market/`.
"""

from pathlib import Path

from bus.house import House

HISTORY = "historical"
WORLD = "history-"
"""What the world of a history's shard begins with; then comes its exchange."""


def history_of(house: House) -> tuple[Path, ...]:
    """Return the places whose bars lie behind those of the house's world; none for made markets."""
    exchange = history_exchange(house)
    place = history_place(house, exchange)
    return (place,) if exchange and (place / "db").is_dir() else ()


def history_place(house: House, exchange: str) -> Path:
    """Return where the imported bars of an exchange lie."""
    return house.home / "data" / HISTORY / exchange


def history_world(exchange: str) -> str:
    """Return the world that the imported bars of an exchange are of."""
    return f"{WORLD}{exchange}"


def exchange_of(world: str) -> str:
    """Return the exchange whose history a world is; empty for every other world."""
    return world.removeprefix(WORLD) if world.startswith(WORLD) else ""


def history_exchange(house: House) -> str:
    """Return the exchange whose history belongs to the world; empty for a made or replayed one."""
    mode, _, rest = house.world.partition("-")
    match mode:
        case "paper":
            return rest
        case "live":
            return rest.rpartition("-")[0]
        case "backtest":
            return house.settings.exchange.name
    return ""


def histories(house: House) -> tuple[Path, ...]:
    """Return all places of imported history, in the order of their names."""
    return tuple(sorted(db.parent for db in (house.home / "data" / HISTORY).glob("*/db")))
