"""What moves between the monitor's core and its edge."""

from schema.head import Local


class DiskSeen(Local, tag=270, frozen=True, kw_only=True):
    """How much room the volume of the worlds has left."""

    path: str
    free_mib: int
