"""Whoever reads may leave early, as `head` does: that ends a verb, and is no failure."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def reader_may_leave() -> Iterator[None]:
    """End quietly what is shown, once nobody reads it any more; the process keeps its signals."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # A later flush at exit must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
