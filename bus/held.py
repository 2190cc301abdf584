"""A descriptor that is closed once: when asked, or when nobody has it any more."""

import os
from weakref import finalize


class Held:
    """Holds one descriptor; `close` may be called twice, and never closes another's."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.close = finalize(self, os.close, fd)
