"""The one bar on the terminal for what takes more than a moment; nothing where nobody looks."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[str, int], None]
"""Is told what is being done, and by how much it went on."""

Passed = Callable[[int], None]
"""Is told how much of a size was looked at."""

SLOW_BYTES = 64 << 20
"""What is read in about a second; for less, nobody needs a bar."""
WHOLE = 1000


@contextmanager
def progress(total: int) -> Iterator[Advance]:
    """Show how far work of a known size is, on standard error, while it is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _what, _done: None
        return
    from rich import progress as parts  # noqa: PLC0415 - a pipe never pays for it
    from rich.console import Console  # noqa: PLC0415 - likewise

    columns = (
        parts.TextColumn("{task.description}"),
        parts.BarColumn(),
        parts.TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with parts.Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task("", total=total)

        def advance(what: str, done: int) -> None:
            shown.update(task, description=what, advance=done)

        yield advance


@contextmanager
def progress_over(size: int, what: str, slow: int = SLOW_BYTES) -> Iterator[Passed]:
    """Show how much of a size is done, where that takes more than a moment."""
    if size < slow:
        yield lambda _passed: None
        return
    with progress(size) as advance:
        yield lambda passed: advance(what, passed)


@contextmanager
def progress_of(what: str) -> Iterator[Callable[[float], None]]:
    """Show which share of some work is done; what is told twice, or late, counts once."""
    with progress(WHOLE) as advance:
        before = 0

        def tell(share: float) -> None:
            nonlocal before
            now = max(before, min(WHOLE, round(share * WHOLE)))
            advance(what, now - before)
            before = now

        yield tell
