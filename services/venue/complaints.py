"""What the HTTP server complains of: a stranger's garbage is counted, our own defect is raised.

Left alone, aiohttp answers 500 to a defect and prints a traceback for every malformed request.
"""

from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web import HTTPException

STRANGERS = (HttpProcessingError, HTTPException, ConnectionError, TimeoutError)


class Complaints:
    """Stands where aiohttp expects a logger, and has the methods of one that it calls."""

    def __init__(self) -> None:
        self.garbage = 0
        self._defect: BaseException | None = None

    def debug(self, text: str, *args: object, **more: object) -> None:
        """Take what nobody needs to know."""

    info = warning = debug

    def exception(
        self, text: str, *args: object, exc_info: BaseException | bool | None = None, **more: object
    ) -> None:
        """Take the failure of one request."""
        if isinstance(exc_info, BaseException) and not isinstance(exc_info, STRANGERS):
            self._defect = exc_info
        else:
            self.garbage += 1

    error = exception

    def raise_defect(self) -> None:
        """Raise what our own code failed with, if it did: a defect is a crash."""
        if self._defect is not None:
            raise self._defect
