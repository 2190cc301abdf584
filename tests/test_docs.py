"""The documents, as tests: what they show runs as it stands, and what they name is there."""

import doctest
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.clock import SystemClock
from bus.wire import Wire
from schema.frame import Frame, Kind, pack, position
from schema.market import Bar
from schema.messages import encode
from services.rrr import VERBS
from tests.tidy import generated, prose
from tests.tidy.cards import programs
from tests.tidy.source import ROOT, Source, sources

README = (ROOT / "README.md").read_text(encoding="utf-8")
RUNBOOK = prose.headings((ROOT / "docs" / "runbook.md").read_text(encoding="utf-8"))
ADRS = sorted((ROOT / "docs" / "adr").glob("*.md"))
CODE = [source for source in sources() if source.product]
PAGES = prose.documents()
DEADLINE_NS = 20_000_000_000


def named(path: Path) -> str:
    return path.name


@pytest.fixture
def short() -> Iterator[Path]:
    # A socket's path has to be short, which those of tmp_path are not everywhere.
    directory = Path(tempfile.mkdtemp(prefix="rrr", dir="/tmp"))
    yield directory
    shutil.rmtree(directory)


def a_bar(pos: int) -> bytes:
    bar = Bar(
        ts_event=120_000_000_000,
        symbol="BTC/USDT",
        timeframe="1m",
        open_ns=60_000_000_000,
        open=1,
        high=1,
        low=1,
        close=6_543_210,
        volume=1,
        quote_volume=1,
        trades=1,
        px_exp=2,
        qty_exp=5,
        quote_exp=7,
    )
    return pack(Frame("ingest.bar", Kind.DATA, 1, pos, 0, 0, 1, 0, encode([bar])))


def test_the_subscriber_of_the_readme_runs_as_it_stands(short: Path) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(program.splitlines()) == 10
    run = short / "data" / "run"
    run.mkdir(parents=True)
    wire, clock = Wire(run, "ingest"), SystemClock()
    listener = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=short,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert listener.stdout is not None
        until_ns, pos = clock.mono_ns() + DEADLINE_NS, position(1, 1)
        heard = select.poll()
        heard.register(listener.stdout, select.POLLIN)
        while not heard.poll(20):
            assert clock.mono_ns() < until_ns
            wire.send(a_bar(pos))
            pos += 1
        assert listener.stdout.readline() == "BTC/USDT 1m 65432.1\n"
    finally:
        listener.kill()
        listener.communicate()
        wire.close()


def test_the_generated_tables_are_those_of_the_code() -> None:
    page = generated.PAGE.read_text(encoding="utf-8")
    assert page == generated.render(page), "run: .venv/bin/python -m tests.tidy.generated"
    assert page.count("<!-- begin ") == 4
    assert "| 4 | `ingest.bar` | B | Bar | writer_market, writer_analytics | 14 |" in page


def test_a_table_that_is_out_of_date_is_found() -> None:
    page = "<!-- begin streams -->\nold\n<!-- end streams -->\n"
    assert generated.render(page) != page
    assert generated.render(generated.render(page)) == generated.render(page)


def test_examples_in_the_architecture_run() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").replace("```", "")
    examples = doctest.DocTestParser().get_doctest(text, {}, "ARCHITECTURE.md", None, 0)
    said: list[str] = []
    ran = doctest.DocTestRunner(verbose=False).run(examples, out=said.append)
    assert ran.failed == 0, "".join(said)
    assert ran.attempted > 0


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_page_has_one_sentence_on_a_line(page: Path) -> None:
    assert list(prose.crowded(page.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_what_a_page_names_is_there(page: Path) -> None:
    assert list(prose.missing(page.read_text(encoding="utf-8"), page)) == []


def test_a_crowded_line_is_found() -> None:
    assert list(prose.crowded("One. Two.\n"))
    assert list(prose.crowded("It is `one`. Then two.\n"))
    assert not list(prose.crowded("One.\nTwo, e.g. this.\n\n```\nOne. Two.\n```\n"))
    assert not list(prose.crowded("| One. Two. |\n"))


def test_a_name_of_nothing_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    (tmp_path / "bus").mkdir()
    (tmp_path / "bus" / "wire.py").touch()
    found = prose.missing("`bus/wire.py` `bus/gone.py` [a](b.md) [c](http://c)", page, tmp_path)
    assert list(found) == [
        "links to b.md, which is not there",
        "names bus/gone.py, which is not there",
    ]


@pytest.mark.parametrize("path", ADRS, ids=named)
def test_a_decision_is_one_page_with_all_its_parts(path: Path) -> None:
    assert list(prose.misshapen(path.read_text(encoding="utf-8"))) == []


def test_a_decision_without_its_parts_is_found() -> None:
    assert len(list(prose.misshapen("# 0001 Something\n"))) == len(prose.PARTS)
    assert any("lines" in found for found in prose.misshapen("\n" * 61))


def test_decisions_are_numbered_without_a_hole() -> None:
    assert [path.name[:4] for path in ADRS] == [f"{n:04d}" for n in range(1, len(ADRS) + 1)]
    for path in ADRS:
        assert path.read_text(encoding="utf-8").startswith(f"# {path.name[:4]} ")


def test_the_code_names_only_decisions_that_were_made() -> None:
    assert prose.decisions(CODE) <= {path.name[:4] for path in ADRS}
    assert prose.decisions([Source("bus/x.py", "# docs/adr/0999")]) == {"0999"}


def test_the_runbook_has_a_page_for_every_alert() -> None:
    assert prose.alerts(CODE) <= set(RUNBOOK)
    assert prose.sent_to(CODE) <= set(RUNBOOK)
    assert len(RUNBOOK) == len(set(RUNBOOK))


def test_an_alert_without_a_page_would_be_found() -> None:
    files = [
        Source("services/monitor/a.py", "Condition('DiskGone', 'x')\nAlert(name='NoPage')\n"),
        Source("bus/x.py", "hint = 'see docs/runbook.md, DiskGone'\n"),
    ]
    assert prose.alerts(files) == {"DiskGone", "NoPage"}
    assert prose.sent_to(files) == {"DiskGone"}


def test_the_commands_of_the_readme_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z]+)", README, re.MULTILINE)) <= targets
    used = set(re.findall(r"(?:^ *|`)rrr ([a-z]+)", README, re.MULTILINE))
    assert {"status", "bus", "db", "logs"} <= used <= set(VERBS)


def test_the_readme_knows_every_process() -> None:
    for name in programs((ROOT / "supervisord.conf").read_text()):
        assert f"\n| `{name}` | " in README


def test_the_changelog_begins_with_this_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert prose.headings((ROOT / "CHANGELOG.md").read_text())[0] == project["version"]
