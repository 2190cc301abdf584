"""`rrr data`: the history of markets: bring it in, see what is there, fill it up."""

import click

from services.rrr.verbs import InnerVerbs

VERBS = {
    "import": ("history", "services.rrr.data_import:import_"),
    "fetch": ("history", "services.rrr.data_fetch"),
    "status": ("history", "services.rrr.data_status"),
    "fill": ("history", "services.rrr.data_fill"),
}
"""Each verb, what it is for, and the file that it lives in."""


@click.command(cls=InnerVerbs, table=VERBS)
def data() -> None:
    """Bring the history of markets in, see what is there, fill it up."""
