"""How figures of a run are written for people, on a terminal and on a page alike."""

from decimal import Decimal

SHARES = frozenset({"return", "cagr", "volatility", "max_drawdown", "win_rate", "exposure"})
LABELS = {"max_drawdown_s": "longest drawdown"}
STEPS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))
HUGE = 1e6


def label(name: str) -> str:
    """Return a figure's name as people read it."""
    return LABELS.get(name, name.replace("_", " "))


def value(name: str, number: float | str | None, sign: str = "") -> str:
    """Return a figure as people read it; a dash for one that there is not."""
    if number is None:
        return "-"
    if isinstance(number, str):
        return number
    if name in SHARES:
        return f"{number:{sign}.2%}" if abs(number) < HUGE else f"{number * 100:{sign}.3g}%"
    if name.endswith("_s"):
        return f"{'-' if number < 0 else sign}{span(abs(number))}"
    return f"{number:{sign}.12g}" if number == int(number) else f"{number:{sign}.4f}"


def span(seconds: float) -> str:
    """Return a stretch of time in its largest unit."""
    for size, unit in STEPS:
        if seconds >= size:
            return f"{seconds / size:.0f}{unit}"
    return "0s"


def cents(text: str) -> str:
    """Return exact money with as many decimals as a table needs."""
    amount = Decimal(text)
    places = 2 if abs(amount) >= 1 or not amount else 6
    return f"{amount:.{places}f}"
