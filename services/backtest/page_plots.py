"""The pictures of a run's page as SVG: what the strategy was worth, its falls, the prices."""

from collections.abc import Sequence
from html import escape
from math import floor, log10

import msgspec
import numpy as np

from schema.house import RunPrices, RunTrade
from schema.units import DAY_NS, SECOND_NS, iso
from services.backtest.thinning import thinned

WIDTH, LEFT, RIGHT, TOP, FOOT = 1200, 80, 1190, 10, 24
POINTS_MAX = 2_400
MARKS_MAX = 1_500
MARK = 6
TICKS = 5
TIMES = 6
SHORT_NS = 3 * DAY_NS


class Curve(msgspec.Struct, frozen=True):
    """Points to draw, in time and value."""

    at_ns: Sequence[int]
    values: Sequence[float]

    def fewer(self) -> "Curve":
        """Return as many of the points as the picture has room for."""
        places = thinned(self.values, POINTS_MAX)
        at_ns = [self.at_ns[place] for place in places]
        return Curve(at_ns, [self.values[place] for place in places])


class Frame(msgspec.Struct, frozen=True):
    """Where times and values lie in a picture."""

    first_ns: int
    last_ns: int
    low: float
    high: float
    height: int

    def x(self, at_ns: int) -> float:
        """Return the place of a time, from the left."""
        return LEFT + (at_ns - self.first_ns) / max(1, self.last_ns - self.first_ns) * (
            RIGHT - LEFT
        )

    def y(self, value: float) -> float:
        """Return the place of a value, from the top."""
        return TOP + (self.high - value) / (self.high - self.low) * (self.height - TOP - FOOT)


def worth_plot(worth: Curve, held: Curve | None, unit: str) -> str:
    """Draw what the strategy was worth, beside what the market made of the same money."""
    worth = worth.fewer()
    lines = [worth] if held is None else [worth, held.fewer()]
    frame = _frame(worth, [value for line in lines for value in line.values], 320)
    drawn = _grid(frame, "")
    if held is not None:
        drawn += _path(frame, lines[1], "hold")
    said = f"Equity in {unit}" + (", dashed: buy and hold" if held is not None else "")
    return _figure(said, frame, drawn + _path(frame, worth, "worth"), worth, "")


def fall_plot(worth: Curve) -> str:
    """Draw how far the strategy stood below its last peak."""
    values = np.asarray(worth.values, dtype=float)
    falls = (values / np.maximum.accumulate(values) - 1) * 100
    curve = Curve(worth.at_ns, falls.tolist()).fewer()
    frame = _frame(curve, [*curve.values, 0.0], 180)
    ends = f"L{frame.x(curve.at_ns[-1]):.1f} {frame.y(0):.1f}L{LEFT} {frame.y(0):.1f}Z"
    area = f'<path class="fall" d="{_line(frame, curve)}{ends}"/>'
    return _figure("Drawdown in percent", frame, _grid(frame, "%") + area, curve, "%")


def price_plot(prices: RunPrices, trades: Sequence[RunTrade]) -> str:
    """Draw one symbol's closes, and where round trips began and ended."""
    unit = 10.0**prices.px_exp
    curve = Curve(prices.at_ns, [px / unit for px in prices.px]).fewer()
    own = [trade for trade in trades if trade.symbol == prices.symbol]
    marked = sorted(own, key=lambda trade: -abs(trade.gain))[:MARKS_MAX]
    marks = [px for trade in marked for px in (trade.entry_px, trade.exit_px)]
    frame = _frame(curve, [*curve.values, *marks], 360)
    drawn = _grid(frame, "") + _path(frame, curve, "price")
    drawn += "".join(_marks(frame, trade) for trade in marked)
    less = f", the {MARKS_MAX} largest of {len(own)} trips" if len(own) > MARKS_MAX else ""
    said = f"{prices.symbol}: \u25b2 long, \u25bc short, \u00d7 exit{less}"
    return _figure(said, frame, drawn, curve, "")


def _frame(times: Curve, values: Sequence[float], height: int) -> Frame:
    low, high = min(values), max(values)
    room = (high - low) * 0.04 or abs(high) * 0.01 or 1.0
    return Frame(times.at_ns[0], times.at_ns[-1], low - room, high + room, height)


def _line(frame: Frame, curve: Curve) -> str:
    points = zip(curve.at_ns, curve.values, strict=True)
    return "M" + "L".join(f"{frame.x(at):.1f} {frame.y(value):.1f}" for at, value in points)


def _path(frame: Frame, curve: Curve, kind: str) -> str:
    return f'<path class="curve {kind}" d="{_line(frame, curve)}"/>'


def _marks(frame: Frame, trade: RunTrade) -> str:
    x, y = frame.x(trade.opened_ns), frame.y(trade.entry_px)
    tip = -MARK if trade.side == "long" else MARK
    told = escape(f"{trade.side} {trade.entry_px:g} {trade.entry_tag}")
    entry = (
        f'<path class="in" d="M{x:.1f} {y + tip:.1f}l{MARK} {-2 * tip}h{-2 * MARK}Z">'
        f"<title>{told}</title></path>"
    )
    x, y = frame.x(trade.closed_ns), frame.y(trade.exit_px)
    told = escape(f"exit {trade.exit_px:g} {trade.exit_tag}")
    left, up = x - MARK / 2, y - MARK / 2
    return entry + (
        f'<path class="out" d="M{left:.1f} {up:.1f}l{MARK} {MARK}m0 {-MARK}l{-MARK} {MARK}">'
        f"<title>{told}</title></path>"
    )


def _grid(frame: Frame, unit: str) -> str:
    drawn = ""
    for value in _ticks(frame.low, frame.high):
        y = frame.y(value)
        drawn += f'<line class="grid" x1="{LEFT}" x2="{RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        drawn += f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:.10g}{unit}</text>'
    whole_ns = frame.last_ns - frame.first_ns
    for place in range(TIMES):
        at_ns = frame.first_ns + whole_ns * place // (TIMES - 1)
        side = "start" if not place else "end" if place == TIMES - 1 else "middle"
        x, y = frame.x(at_ns), frame.height - 6
        told = iso(at_ns)[:16].replace("T", " ") if whole_ns < SHORT_NS else iso(at_ns)[:10]
        drawn += f'<text x="{x:.1f}" y="{y}" text-anchor="{side}">{told}</text>'
    return drawn


def _ticks(low: float, high: float) -> list[float]:
    rough = (high - low) / TICKS
    power = 10.0 ** floor(log10(rough))
    step = next(power * size for size in (1, 2, 5, 10) if power * size >= rough)
    count = floor(high / step) - floor(low / step)
    return [step * (floor(low / step) + place) for place in range(1, count + 1)]


def _figure(said: str, frame: Frame, drawn: str, curve: Curve, unit: str) -> str:
    told = escape(said)
    seconds = [at // SECOND_NS for at in curve.at_ns]
    data = {"at": seconds, "is": [f"{value:.10g}{unit}" for value in curve.values]}
    text = msgspec.json.encode(data).decode().replace("<", "\\u003c")
    cross = f'<line class="cross" y1="{TOP}" y2="{frame.height - FOOT}"/>'
    return (
        f'<figure data-left="{LEFT}" data-right="{RIGHT}">'
        f"<figcaption>{told} <output></output></figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {frame.height}" role="img" aria-label="{told}">'
        f"{drawn}{cross}</svg>"
        f'<script type="application/json">{text}</script></figure>\n'
    )
