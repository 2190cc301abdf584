"""What the core hands to the store: messages to keep, or one thing to do with the shard."""

from collections.abc import Sequence

from schema.head import Local, Message


class Keep(Local, tag=240, frozen=True, kw_only=True):
    """A message whose rows go into the shard; one that is `refused` goes to the dead letters."""

    message: Message
    month: int = 0  # yyyymm of the file; 0: the newest, or the shard is one file
    refused: str = ""
    pos: int = 0  # where and, by the wall clock, when it was said; 0 for a shard that needs neither
    said_ns: int = 0


class Chore(Local, tag=241, frozen=True, kw_only=True):
    """Something that a command asks of the shard's one connection; it is answered at once."""

    request_id: str
    verb: str
    args: tuple[str, ...] = ()


class Told(Local, tag=242, frozen=True, kw_only=True):
    """The messages of a run as they are; the store judges each by the rule of its shard."""

    messages: Sequence[Message]
    now_ns: int
