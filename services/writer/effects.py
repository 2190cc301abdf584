"""What the core hands to the store: one message to keep, and where it belongs."""

from schema.head import Local, Message


class Keep(Local, tag=240, frozen=True, kw_only=True):
    """A message whose rows go into the shard; one that is `refused` goes to the dead letters."""

    message: Message
    month: int = 0  # yyyymm of the file; 0: the newest, or the shard is one file
    refused: str = ""
    pos: int = 0  # where and, by the wall clock, when it was said; 0 for a shard that needs neither
    said_ns: int = 0
