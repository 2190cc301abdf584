"""`rrr bus journal`: look at the files of the streams, prove them, mend them, take them along."""

import click

from services.rrr.verbs import Verbs

VERBS = {
    "ls": ("look", "services.rrr.bus_journal_ls:list_segments"),
    "verify": ("look", "services.rrr.bus_journal_verify"),
    "repair": ("mend", "services.rrr.bus_journal_repair"),
    "prune": ("make room", "services.rrr.bus_journal_prune"),
    "export": ("copy", "services.rrr.bus_journal_export"),
}
"""Each verb, what it is for, and the file that it lives in."""


@click.command(cls=Verbs, table=VERBS)
def journal() -> None:
    """Look at the files of the streams, prove them, mend them, take them along."""
