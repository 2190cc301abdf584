"""Evolution: the bytes of every message that was ever released decode for ever.

`tests/golden/messages.txt` has lines `tag name hex`. A message that grows gets a line more; the
last line of a tag is what today's code writes. To add lines: `python -m tests.schema.test_golden`.
"""

from pathlib import Path
from types import GenericAlias
from typing import Any

import msgspec
import pytest

from schema.house import EpochOpened
from schema.market import Trade
from schema.messages import LOCALS, MESSAGES, encode
from tests.schema.samples import SAMPLES

KINDS: dict[int, Any] = {**MESSAGES, **LOCALS}
"""Local messages too: they stand in journals inside the record of a turn."""

GOLDEN = Path(__file__).parents[1] / "golden" / "messages.txt"


def released() -> dict[int, list[bytes]]:
    found: dict[int, list[bytes]] = {}
    for line in GOLDEN.read_text().splitlines():
        tag, name, body = line.split()
        assert KINDS[int(tag)].__name__ == name, f"tag {tag} was used for {name}"
        found.setdefault(int(tag), []).append(bytes.fromhex(body))
    return found


def decoded(tag: int, body: bytes) -> list[Any]:
    found: list[Any] = msgspec.msgpack.decode(body, type=GenericAlias(list, (KINDS[tag],)))
    return found


def grown_from(then: Any, now: Any) -> bool:
    """Return whether nothing but fields at ends was added, in what is nested too."""
    if not isinstance(then, list) or not isinstance(now, list):
        return bool(then == now)
    return len(then) <= len(now) and all(map(grown_from, then, now))


@pytest.mark.parametrize("tag", KINDS)
def test_released_bytes_decode_and_todays_are_the_last(tag: int) -> None:
    lines = released().get(tag, [])
    assert lines, f"{KINDS[tag].__name__} has no golden bytes yet"
    for body in lines:
        (message,) = decoded(tag, body)
        (raw,) = msgspec.msgpack.decode(body)
        ours = msgspec.msgpack.decode(encode([message]))[0]
        assert grown_from(raw, ours), (raw, ours)
    assert encode([SAMPLES[tag]]) == lines[-1]


@pytest.mark.parametrize("tag", KINDS)
def test_a_reader_of_yesterday_skips_fields_of_tomorrow(tag: int) -> None:
    (raw,) = msgspec.msgpack.decode(encode([SAMPLES[tag]]))
    longer = msgspec.msgpack.encode([[*raw, "a field of tomorrow", 42]])
    assert decoded(tag, longer) == [SAMPLES[tag]]


@pytest.mark.parametrize("tag", KINDS)
def test_a_reader_of_today_fills_what_yesterday_did_not_say(tag: int) -> None:
    kind = KINDS[tag]
    defaults = [field for field in msgspec.structs.fields(kind) if not field.required]
    optional = 0
    for field in reversed(msgspec.structs.fields(kind)):
        if field.required or field.name in Trade.__struct_fields__[:3]:
            break
        optional += 1
    (raw,) = msgspec.msgpack.decode(encode([SAMPLES[tag]]))
    shorter = msgspec.msgpack.encode([raw[: len(raw) - optional]])
    (message,) = decoded(tag, shorter)
    for field in defaults[len(defaults) - optional :]:
        assert getattr(message, field.name) == field.default


def test_the_head_of_every_message_is_the_same() -> None:
    for kind in MESSAGES.values():
        assert kind.__struct_fields__[:3] == ("ts_event", "trace", "cause")


def test_a_wrong_type_is_refused_with_its_place() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"Expected `int`, got `str`"):
        msgspec.msgpack.decode(
            msgspec.msgpack.encode([201, "now", 0, [0, 0], 1, True, "boot", 1, "code"]),
            type=EpochOpened,
        )


def main() -> None:
    """Add a line for every message whose last line is not what today's code writes."""
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.touch()
    lines = released()
    with GOLDEN.open("a") as file:
        for tag, message in SAMPLES.items():
            body = encode([message])
            if lines.get(tag, [b""])[-1] != body:
                file.write(f"{tag} {type(message).__name__} {body.hex()}\n")


if __name__ == "__main__":
    main()
