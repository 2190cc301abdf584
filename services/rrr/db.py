"""`rrr db`: look into the shards, copy them, prove them, and look after them."""

import click

from services.rrr.verbs import InnerVerbs

VERBS = {
    "query": ("look", "services.rrr.db_query"),
    "stats": ("look", "services.rrr.db_stats"),
    "verify": ("look", "services.rrr.db_verify"),
    "rebuild": ("look", "services.rrr.db_rebuild"),
    "export": ("copy", "services.rrr.db_export"),
    "import": ("copy", "services.rrr.db_import:import_"),
    "backup": ("copy", "services.rrr.db_backup"),
    "restore": ("copy", "services.rrr.db_restore"),
    "optimize": ("look after", "services.rrr.db_optimize"),
    "archive": ("look after", "services.rrr.db_archive"),
    "migrate": ("come from elsewhere", "services.rrr.db_migrate"),
}
"""Each verb, what it is for, and the file that it lives in."""


@click.command(cls=InnerVerbs, table=VERBS)
def db() -> None:
    """Look into the shards, copy them, prove them, and look after them."""
