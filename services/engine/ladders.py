"""Ladders: an entry in several limits, and an exit in several takes.

The rungs of an entry rest at the exchange, each as an order of its own. Takes are watched: coins
can be held by one order at a time, and the stop has them; where a take is reached the stop lets go
of that part and keeps the rest.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate

from schema.trading import Rung
from schema.units import floor_to
from services.engine.scene import Move, Scene

WHOLE = 1_000_000
"""Shares of takes are counted in millionths."""


def split(qty: int, shares: Iterable[float], step: int) -> list[int]:
    """Return a quantity in parts of whole lots, whose sum is exactly it."""
    ends = [floor_to(min(qty, int(qty * share)), step) for share in accumulate(shares)]
    ends[-1] = qty
    return [end - begin for begin, end in zip([0, *ends], ends, strict=False)]


def merged(rungs: Sequence[Rung], is_enough: Callable[[Rung], bool]) -> tuple[Rung, ...]:
    """Return rungs of which each is enough for the exchange: one that is not joins the next one.

    What is left at the end joins the last one that is; nothing where all together are not enough.
    """
    found: list[Rung] = []
    left = 0
    for px, qty in rungs:
        rung = (px, qty + left)
        left = 0
        if found and found[-1][0] == px:
            found[-1] = (px, found[-1][1] + rung[1])
        elif is_enough(rung):
            found.append(rung)
        else:
            left = rung[1]
    if left and not found:
        whole = (rungs[-1][0], left)
        return (whole,) if is_enough(whole) else ()
    if left:
        found[-1] = (found[-1][0], found[-1][1] + left)
    return tuple(found)


def missing(rungs: Sequence[Rung], qty: int, least: int) -> list[Rung]:
    """Return the rungs of what is still missing: what is held counts for the nearest ones."""
    held = sum(lots for _, lots in rungs) - qty
    found: list[Rung] = []
    for px, lots in rungs:
        gone = min(lots, max(0, held))
        held -= gone
        if lots > gone:
            found.append((px, lots - gone))
    while len(found) > 1 and found[0][1] < least:
        found[:2] = [(found[1][0], found[0][1] + found[1][1])]
    return found


def counted(shares: Sequence[tuple[int, float]]) -> tuple[Rung, ...]:
    """Return takes with their shares in millionths."""
    return tuple((px, max(1, round(share * WHOLE))) for px, share in shares)


def reached_part(scene: Scene) -> list[Move]:
    """Return the part that takes close now, or that they close all; nothing while none is reached.

    A part that is too small for the exchange waits for the next take, and what would be left too
    small is closed with it.
    """
    slot, sign = scene.slot, 1 if scene.held > 0 else -1
    px, held = scene.bid_px if sign > 0 else scene.ask_px, abs(scene.held)
    if not slot.takes or px <= 0:
        return []
    reached = sum((px - take_px) * sign >= 0 for take_px, _ in slot.takes)
    if reached <= slot.taken:
        return []
    part = part_of(slot.takes, slot.taken, reached, held, scene.step)
    if reached == len(slot.takes) or held - part < scene.least:
        return [Move("done", why="take")]
    if part < scene.least:
        return []
    return [Move("part", qty=(held - part) * sign, taken=reached, why="take")]


def part_of(takes: Sequence[Rung], taken: int, reached: int, held: int, step: int) -> int:
    """Return how much of what is held the takes from one to another close, in whole lots."""
    left = sum(share for _, share in takes[taken:])
    closed = sum(share for _, share in takes[taken:reached])
    return floor_to(held * closed // left, step) if left else held
