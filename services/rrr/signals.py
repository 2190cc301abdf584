"""What ends a verb that would go on for ever: Ctrl-C, and SIGTERM alike.

A shell's background jobs do not hear Ctrl-C, so SIGTERM means the same.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM)


class Ending:
    """Whether somebody wants the end; who writes files asks it between two records."""

    def __init__(self) -> None:
        self.wanted = False

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        """Take a signal; a second one does not wait for the end of a record."""
        if self.wanted:
            raise KeyboardInterrupt
        self.wanted = True


@contextmanager
def noticed() -> Iterator[Ending]:
    """Note signals, for a verb that asks whether it is to end."""
    ending = Ending()
    with _handled(ending):
        yield ending


@contextmanager
def ended_by_signal() -> Iterator[None]:
    """Let both signals raise KeyboardInterrupt at once, wherever a verb waits."""
    with _handled(_interrupt):
        yield


@contextmanager
def _handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = [(number, signal.signal(number, handler)) for number in ENDING]
    try:
        yield
    finally:
        for number, earlier in before:
            signal.signal(number, earlier)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
