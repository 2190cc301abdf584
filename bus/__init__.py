"""How a message travels and is remembered."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - one clear line instead of a traceback
    sys.stderr.write(
        f"Python {sys.version.split()[0]} at {sys.executable}: expected 3.11 or newer. "
        "Run `make up`, which finds one and makes .venv with it\n"
    )
    sys.exit(78)
