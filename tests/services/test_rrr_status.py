"""`rrr status`: the contract that scripts read, and the screen for people."""

import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from bus.build import contract_hash
from bus.clock import SystemClock
from bus.errors import BusyError, HouseError, SettingsError
from bus.health import Verdict
from bus.house import House
from services.rrr import VERBS, rrr
from services.rrr.screen import duration, screen
from services.rrr.start import refuse_other_contract, refuse_refused, wait_ready
from services.rrr.status import build, failure
from services.rrr.stops import TRADERS
from services.rrr.survey import NotReadyError, running_house, verdict
from tests.services.bare import bare_house
from tests.services.rrr.surveys import beat, found

SIMULATED_WORLD = "World: local-synthetic-7 (local)   SIMULATED MARKET AND MONEY"
KEYS = {
    "ready",
    "mode",
    "world",
    "trading",
    "market_time",
    "alerts",
    "quote",
    "cash",
    "stops",
    "shards",
    "services",
    "risk",
    "equity",
    "positions",
    "orders",
    "external_orders",
}


@pytest.fixture
def house() -> Iterator[House]:
    with bare_house() as made:
        yield made


def test_the_contract_has_every_field(house: House) -> None:
    report = json.loads(json.dumps(build(house, found(house))))
    assert set(report) == KEYS
    assert report["ready"] is True
    assert (report["mode"], report["world"]) == ("local", "local-synthetic-7")
    assert report["trading"] is (set(TRADERS) <= set(house.programs))
    assert report["positions"] == []
    for stop in report["stops"]:
        assert set(stop) == {"what", "scope", "since", "by", "why", "release"}
    assert set(report["risk"]) == {"state", "reason"}
    assert report["equity"] == "0"
    assert set(report["orders"]) == {"submitted", "filled", "rejected", "denied", "open"}
    assert [service["name"] for service in report["services"]] == list(house.programs)
    names = [shard["name"] for shard in report["shards"]]
    assert names == ["trading", "market", "analytics", "backtest"]
    for shard in report["shards"]:
        assert set(shard) == {"name", "ok", "behind_s", "bytes", "backup_age_s"}


def test_a_shard_tells_how_old_its_last_proven_backup_is(house: House) -> None:
    survey = found(house)
    for name, age_s in (("trading", 7200), ("market", -1)):
        writer = f"writer_{name}"
        survey.heartbeats[writer] = beat(writer, counters=(("backup_age_s", age_s),))
    report = build(house, survey)
    told = {shard["name"]: shard["backup_age_s"] for shard in report["shards"]}
    assert told == {"trading": 7200, "market": None, "analytics": None, "backtest": None}
    lines = screen(report).splitlines()
    assert [line.rpartition("  ")[2].strip() for line in lines if line.startswith("trading ")] == [
        "2h ago"
    ]


def test_a_service_is_described_by_its_heartbeat(house: House) -> None:
    survey = found(house)
    survey.heartbeats["warden"] = beat("warden", counters=(("restarts.ingest", 3),))
    (ingest,) = (s for s in build(house, survey)["services"] if s["name"] == "ingest")
    assert ingest.pop("reason") == "why"
    assert ingest == {
        "name": "ingest",
        "state": "READY",
        "pid": 7,
        "uptime_s": 60.0,
        "restarts": 3,
        "rss_bytes": 30 << 20,
        "lag_ms": 2,
    }


def test_a_replay_that_has_ended_is_told_and_is_no_fault(house: House) -> None:
    survey = found(house)
    survey.verdicts[0] = Verdict("venue", "READY", "")
    assert build(house, survey)["services"][0]["reason"] == ""
    survey.heartbeats["venue"] = beat("venue", counters=(("replay_ended_ns", 10**18),))
    venue = build(house, survey)["services"][0]
    assert venue["state"] == "READY"
    assert venue["reason"] == "the replay ended at 2001-09-09T01:46:40Z; no more trades come"


@pytest.mark.parametrize(("code", "kind"), [(75, BusyError), (78, SettingsError)])
def test_a_refusal_without_a_last_word_hints_at_the_disk(
    house: House, code: int, kind: type[HouseError]
) -> None:
    survey = found(house, venue="EXITED")
    survey.processes = {"venue": {"statename": "EXITED", "exitstatus": code}}
    with pytest.raises(kind, match=f"exit code {code}, and no last word in .* may be full"):
        refuse_refused(house, survey, house.programs)


def test_a_wait_for_the_services_ends_when_their_supervisor_has(house: House) -> None:
    with pytest.raises(NotReadyError, match="the supervisor ended"):
        wait_ready(house, house.programs, SystemClock(), lambda _: None)


@pytest.mark.parametrize(
    ("world", "says"),
    [
        ("local-synthetic-7", "in the same world; schema/, bus/, the mode or the clock's scale"),
        ("replay-12345678", "in world replay-12345678; the settings say world local-synthetic-7"),
    ],
)
def test_what_differs_from_the_tree_is_told(house: House, world: str, says: str) -> None:
    survey = found(house)
    ours = contract_hash(house)
    survey.heartbeats = {
        name: beat(name, contract="other" if name == "venue" else ours, world=world)
        for name in survey.heartbeats
    }
    with pytest.raises(NotReadyError) as refused:
        refuse_other_contract(house, survey)
    assert f"venue runs another contract than this tree, {says}" in str(refused.value)


@pytest.mark.parametrize(
    ("start_s", "state", "reason"),
    [
        (67, "STARTING", "it does not answer yet"),
        (1, "SUSPECT", "it runs, and does not answer within 500 ms"),
    ],
)
def test_a_process_that_does_not_answer_is_not_said_to_have_never_spoken(
    house: House, start_s: int, state: str, reason: str
) -> None:
    survey = found(house)
    del survey.heartbeats["ingest"]
    survey.processes["ingest"] = {
        "statename": "RUNNING",
        "pid": 7,
        "start": start_s,
        "spawnerr": "",
    }
    assert verdict(survey, "ingest") == Verdict("ingest", state, reason)


def test_a_writer_is_behind_as_long_as_the_monitor_says(house: House) -> None:
    survey = found(house)
    survey.heartbeats["ingest"] = beat("ingest", last=((4, 10),))
    survey.heartbeats["writer_market"] = beat("writer_market", cursors=((4, 9),))
    survey.heartbeats["monitor"] = beat("monitor", counters=(("behind_s.writer_market", 61),))
    shards = {shard["name"]: shard for shard in build(house, survey)["shards"]}
    assert shards["market"]["behind_s"] == 61
    assert shards["trading"]["behind_s"] == 0


def test_a_shard_is_as_large_as_its_files(house: House) -> None:
    house.db_dir.mkdir(parents=True)
    for name in ("market_data_2023_11.db", "market_data_2023_12.db-wal", "trading.db"):
        (house.db_dir / name).write_bytes(b"x" * 10)
    shards = {shard["name"]: shard for shard in build(house, found(house))["shards"]}
    assert (shards["market"]["bytes"], shards["trading"]["bytes"]) == (20, 10)


@pytest.mark.parametrize(
    ("states", "code"), [({}, None), ({"ingest": "DEGRADED"}, 3), ({"ingest": "DEAD"}, 3)]
)
def test_the_exit_code_says_whether_it_is_ready(
    house: House, states: dict[str, str], code: int | None
) -> None:
    problem = failure(found(house, **states))
    assert (problem.exit_code if isinstance(problem, HouseError) else None) == code


def test_a_house_in_which_nothing_runs_is_unreachable(house: House) -> None:
    problem = failure(found(house, **dict.fromkeys(house.programs, "STOPPED")))
    assert problem is not None
    assert problem.exit_code == 4


def test_the_screen_opens_with_whether_it_trades(house: House) -> None:
    lines = screen(build(house, found(house, ingest="DEGRADED"))).splitlines()
    assert lines[0].startswith("Trading: ")
    assert f"{SIMULATED_WORLD}   NOT READY" in lines
    (ingest,) = (line for line in lines if line.startswith("ingest "))
    assert ingest.split() == ["ingest", "DEGRADED", "7", "1m", "0", "30.0", "MiB", "2", "ms", "why"]


def test_the_world_that_runs_goes_before_the_settings(house: House) -> None:
    assert running_house(house).world == "local-synthetic-7"
    (house.run / "clock.json").write_text(
        '{"origin_ns":1,"anchor_ns":1,"scale":1.0,"world":"replay-0123abcd"}'
    )
    assert running_house(house).world == "replay-0123abcd"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"world": 5}'])
def test_a_damaged_clock_leaves_the_settings(house: House, text: str) -> None:
    (house.run / "clock.json").write_text(text)
    assert running_house(house) == house


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0s"), (59, "59s"), (60, "1m"), (7200, "2h"), (200_000, "2d")]
)
def test_a_duration_is_told_in_its_largest_unit(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_every_verb_is_in_the_help_under_its_question() -> None:
    text = CliRunner().invoke(rrr, ["--help"]).output
    for verb, (group, _) in VERBS.items():
        section = text.partition(f"\n{group}:\n")[2].partition("\n\n")[0]
        assert f"\n  {verb} " in f"\n{section}"


@pytest.mark.parametrize("args", [["dance"], ["status", "--dance"], ["restart"], ["logs"]])
def test_what_is_no_verb_is_usage(args: list[str]) -> None:
    assert CliRunner().invoke(rrr, args).exit_code == 2
