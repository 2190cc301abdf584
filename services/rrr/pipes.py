"""Whoever reads may leave early, as `head` does: that ends a verb, and is no failure."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bus.errors import HouseError


@contextmanager
def reader_may_leave() -> Iterator[None]:
    """End quietly what is shown, once nobody reads it any more; the process keeps its signals."""
    try:
        yield
        if sys.stdout is not None:  # Somebody may have closed it before the start.
            sys.stdout.flush()
    except BrokenPipeError:
        _swallow_the_rest()
    except OSError as error:
        _swallow_the_rest()
        raise HouseError(
            f"what is shown cannot be written: {error.strerror}", "Free space, or send it elsewhere"
        ) from error


def _swallow_the_rest() -> None:
    # A later flush at exit must not complain either.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
