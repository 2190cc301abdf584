"""One measured figure beside what it is measured against."""

import msgspec


class Figure(msgspec.Struct, frozen=True):
    """`raw` is the bare way, or the system before this one; the ratio is ours over it.

    What was not measured has zeros, and says why where others have a unit.
    """

    name: str
    ours: float
    raw: float
    unit: str
    batches: dict[int, int] | None = None  # how many frames held up to so many messages

    @property
    def ratio(self) -> float:
        return self.ours / self.raw if self.raw else 0.0  # What was not measured has none.

    def row(self) -> dict[str, str | float | dict[int, int]]:
        """Return the figure as scripts read it."""
        found: dict[str, str | float | dict[int, int]] = {
            "name": self.name,
            "ours": round(self.ours, 3),
            "raw": round(self.raw, 3),
            "ratio": round(self.ratio, 4),
            "unit": self.unit,
        }
        return found if self.batches is None else {**found, "batches": self.batches}

    def cells(self) -> tuple[str, ...]:
        """Return the figure as people read it."""
        return (self.name, f"{self.ours:.2f}", f"{self.raw:.2f}", f"{self.ratio:.3f}", self.unit)
