"""Text that is the same in every process, of whatever somebody's code hands over."""

import re

import numpy as np

TEXT_MAX = 300
SIMPLE = frozenset({float, np.float64, str})
"""Types of values whose text runs nobody's code, and never fails."""


def plain(value: object) -> str:
    """Return a value as text without surrogates and addresses, cut to a readable length."""
    text = str(value)[:TEXT_MAX].encode(errors="replace").decode()
    return re.sub(r"0x[0-9a-f]+", "0x", text)


def told(value: object) -> str:
    """Return a value as a person reads it beside a decision; what was told stays as it is."""
    return f"{value:.6g}" if isinstance(value, float) else plain(value)
