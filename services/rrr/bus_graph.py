"""The rate of each stream as a line of little bars, drawn over and over on a terminal."""

from collections import Counter, deque
from collections.abc import Iterable, Sequence

import click

from bus.clock import Clock
from schema.units import SECOND_NS
from services.rrr.ears import Lost, Seen

BARS = "▁▂▃▄▅▆▇█"
SECONDS = 40
UP = "\x1b[{}A"
CLEAR_LINE = "\x1b[2K"


def draw(heard: Iterable[Seen | Lost | None], streams: Sequence[str], clock: Clock) -> None:
    """Draw, once a second, how many messages of each stream came in each of the last seconds."""
    rates: dict[str, deque[int]] = {name: deque(maxlen=SECONDS) for name in streams}
    counts: Counter[str] = Counter()
    due_ns, drawn = clock.mono_ns() + SECOND_NS, False
    for item in heard:
        if isinstance(item, Seen):
            counts[item.stream] += 1
        if clock.mono_ns() < due_ns:
            continue
        due_ns += SECOND_NS
        for name, rate in rates.items():
            rate.append(counts.pop(name, 0))
        lines = [CLEAR_LINE + line for line in graph(rates)]
        click.echo((UP.format(len(lines)) if drawn else "") + "\n".join(lines))
        drawn = True


def graph(rates: dict[str, deque[int]]) -> list[str]:
    """Return a line for each stream: its name, its newest rate, and its bars."""
    width = max(map(len, rates))
    return [
        f"{name.ljust(width)} {rate[-1] if rate else 0:>8}/s {sparkline(rate)}"
        for name, rate in rates.items()
    ]


def sparkline(rate: Sequence[int]) -> str:
    """Return numbers as bars; the highest one has the full height."""
    top = max(rate, default=0)
    return "".join(BARS[number * (len(BARS) - 1) // top] if top else BARS[0] for number in rate)
