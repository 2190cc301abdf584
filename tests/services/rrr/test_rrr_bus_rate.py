"""`rrr bus hz`, `bw` and `delay` share one sampler."""

import json
import subprocess
import sys

import pytest

from bus.clock import SystemClock
from services.rrr.bus_rate import Sampler, spread
from services.rrr.ears import Seen
from tests.services.bare import entered_house
from tests.services.rrr.answering import bare_environment
from tests.services.rrr.bus_desk import NOON_NS, bar, bus, done, trade, writer_of

MS_NS = 1_000_000
DEADLINE_NS = 20 * 10**9


def sampled(count: int = 11, window: int = 100) -> Sampler:
    sampler = Sampler(["ingest.bar", "ingest.trade"], window)
    for number in range(count):
        at_ns = number * 100 * MS_NS
        seen = Seen("ingest.bar", number, NOON_NS + at_ns, bar(), mono_ns=at_ns, size=200)
        sampler.take(seen, at_ns + 2 * MS_NS)
    return sampler


def test_a_rate_is_over_the_time_between_first_and_last() -> None:
    (row,) = sampled().figures("hz")
    assert row["per_s"] == 10.0
    assert (row["min"], row["max"], row["std"], row["p50"], row["p99"]) == (100, 100, 0, 100, 100)


def test_a_bandwidth_counts_the_bytes_of_frames() -> None:
    (row,) = sampled().figures("bw")
    assert row["bytes_per_s"] == 2000.0
    assert row["max"] == 200


def test_a_delay_is_the_age_at_arrival() -> None:
    (row,) = sampled().figures("delay")
    assert (row["unit"], row["mean"], row["p99"]) == ("ms", 2.0, 2.0)


def test_a_window_keeps_the_newest_messages() -> None:
    sampler = sampled(50, window=5)
    (row,) = sampler.figures("hz")
    assert (sampler.total, row["messages"], row["span_s"]) == (50, 5, 0.4)


def test_one_message_has_no_rate() -> None:
    (row,) = sampled(1).figures("hz")
    assert row["per_s"] is None
    assert row["min"] is None


def test_a_spread_is_read_off_the_ordered_values() -> None:
    assert spread([float(number) for number in range(100, 0, -1)]) | {"std": None} == {
        "min": 1.0,
        "max": 100.0,
        "std": None,
        "p50": 51.0,
        "p99": 100.0,
    }


@pytest.mark.parametrize("verb", ["hz", "bw", "delay"])
def test_silence_is_told_and_no_failure(verb: str) -> None:
    with entered_house():
        assert done(verb, "ingest.*", "-W", "0.02") == "nothing was said\n"
        assert done(verb, "-W", "0.02", "--json") == ""
        assert getattr(bus(verb, "--once", "-W", "0.02").exception, "exit_code", 0) == 3
        assert bus(verb, "nobody.says").exit_code == 2
        assert bus(verb, "ingest.bar", "-w", "1").exit_code == 2


@pytest.mark.parametrize("verb", ["hz", "bw", "delay"])
def test_what_is_written_meanwhile_is_measured(verb: str) -> None:
    with entered_house() as house:
        clock = SystemClock()
        writer = writer_of(house, "ingest.trade", clock)
        words = (sys.executable, "-m", "services.rrr", "bus", verb, "ingest.trade", "--all")
        deadline_ns = clock.mono_ns() + DEADLINE_NS
        with subprocess.Popen(
            [*words, "-n", "40", "--filter", "trade_id >= 0", "--json"],
            cwd=house.root,
            env=bare_environment() | {"NO_COLOR": "1"},
            stdout=subprocess.PIPE,
        ) as process:
            number = 0
            while process.poll() is None:
                assert clock.mono_ns() < deadline_ns
                writer.append([trade(number)])
                number += 1
                clock.pause_ms(2)
            assert process.stdout is not None
            row = json.loads(process.stdout.read().splitlines()[-1])
        writer.close("done")
        assert process.returncode == 0
        assert row["messages"] == 40
        assert 0 <= row["min"] <= row["p50"] <= row["p99"] <= row["max"]
