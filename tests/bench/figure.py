"""One measured figure beside what it is measured against."""

import msgspec


class Figure(msgspec.Struct, frozen=True):
    """`raw` is the bare way, or the system before this one; the ratio is ours over it."""

    name: str
    ours: float
    raw: float
    unit: str

    @property
    def ratio(self) -> float:
        return self.ours / self.raw

    def row(self) -> dict[str, str | float]:
        """Return the figure as scripts read it."""
        return {
            "name": self.name,
            "ours": round(self.ours, 3),
            "raw": round(self.raw, 3),
            "ratio": round(self.ratio, 4),
            "unit": self.unit,
        }

    def cells(self) -> tuple[str, ...]:
        """Return the figure as people read it."""
        return (self.name, f"{self.ours:.2f}", f"{self.raw:.2f}", f"{self.ratio:.3f}", self.unit)
