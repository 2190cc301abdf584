"""Parameters of a request, read and refused as Binance does."""

import re
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from services.venue.columns import Facts

Word = TypeVar("Word", bound=str)

INT_MAX = 10**18
DECIMALS = 8
_NUMBER = re.compile(r"[0-9]{1,20}")
_AMOUNT = re.compile(r"([0-9]{1,20})(?:\.([0-9]{1,20}))?")
_CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
_SYMBOL = re.compile(r"[A-Z0-9-_.]{1,20}")


class Refusal(Exception):  # noqa: N818 - not a failure of ours: it becomes an answer
    """A request that the exchange does not take."""

    def __init__(
        self, code: int, msg: str, status: int = 400, data: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(code, msg)
        self.code = code
        self.msg = msg
        self.status = status
        self.data = data  # What was done all the same, part by part.

    @property
    def body(self) -> dict[str, object]:
        """What it says, as it is written."""
        said: dict[str, object] = {"code": self.code, "msg": self.msg}
        return said if self.data is None else {**said, "data": self.data}


class Params:
    """The parameters of one request; those that nobody reads are refused at the end."""

    def __init__(self, query: Mapping[str, str], key: str = "") -> None:
        self.key = key  # of whoever asks
        self._query = query
        self._read: set[str] = set()
        self.weight = 1

    def check_all_read(self) -> None:
        """Refuse what this endpoint does not know."""
        if unread := len(set(self._query) - self._read):
            sent = len(self._query)
            msg = (
                f"Not all sent parameters were read; read '{sent - unread}' parameter(s) "
                f"but was sent '{sent}'."
            )
            raise Refusal(-1104, msg)

    def ignore(self, *names: str) -> None:
        """Take parameters that change nothing here."""
        self._read.update(names)

    def number(self, name: str) -> int | None:
        """Return an optional whole number of zero or more."""
        raw = self._take(name)
        if raw is None:
            return None
        if not _NUMBER.fullmatch(raw):
            raise _illegal(name, "^[0-9]{1,20}$")
        return min(int(raw), INT_MAX)

    time = number

    def needed(self, name: str) -> int:
        """Return a whole number that must be sent."""
        self._must(name)
        found = self.number(name)
        assert found is not None
        return found

    def amount(self, name: str) -> int:
        """Return a plain decimal with eight decimals, 0 when it is not sent."""
        raw = self._take(name)
        if raw is None:
            return 0
        found = _AMOUNT.fullmatch(raw)
        if found is None:
            raise _illegal(name, r"^([0-9]{1,20})(\.[0-9]{1,20})?$")
        decimals = (found[2] or "").rstrip("0")
        if len(decimals) > DECIMALS:
            raise Refusal(-1111, f"Parameter '{name}' has too much precision.")
        return int(found[1] + decimals.ljust(DECIMALS, "0"))

    def word(self, name: str) -> str | None:
        """Return an optional text as it was sent."""
        return self._take(name)

    def client_id(self, name: str) -> str | None:
        """Return an optional id of the client's own."""
        raw = self._take(name)
        if raw is not None and not _CLIENT_ID.fullmatch(raw):
            raise _illegal(name, r"^[\.A-Z\:/a-z0-9_-]{1,36}$")
        return raw

    def choice(self, name: str, known: Mapping[str, Word], refusal: Refusal) -> Word:
        """Return the one of some words that must be sent."""
        raw = self._must(name)
        if raw not in known:
            raise refusal
        return known[raw]

    def forbid(self, *names: str) -> None:
        """Refuse parameters that make no sense beside the others."""
        for name in names:
            if self._take(name) is not None:
                raise Refusal(-1106, f"Parameter '{name}' sent when not required.")

    def must(self, *names: str) -> None:
        """Refuse a request that lacks one of these."""
        for name in names:
            self._must(name)

    def must_either(self, one: str, other: str) -> None:
        """Refuse a request that has neither."""
        if self._take(one) is None and self._take(other) is None:
            msg = f"Param '{one}' or '{other}' must be sent, but both were empty/null!"
            raise Refusal(-1102, msg)

    def limit(self, usual: int, most: int) -> int:
        """Return how many rows are wanted; more than the most is cut, as Binance does."""
        limit = self.number("limit")
        if limit == 0:
            raise Refusal(-1130, "Data sent for parameter 'limit' is not valid.")
        return usual if limit is None else min(limit, most)

    def interval(self, known: Mapping[str, int]) -> int:
        """Return the length of the interval named."""
        raw = self._must("interval")
        if raw not in known:
            raise Refusal(-1120, "Invalid interval.")
        return known[raw]

    def symbol(self, listed: Mapping[str, Facts]) -> Facts:
        """Return the one symbol that must be named."""
        return self._listed("symbol", self._must("symbol"), listed)

    def symbols(self, listed: Mapping[str, Facts]) -> tuple[list[Facts], bool]:
        """Return the symbols named, all when none is, and whether it was a single one."""
        single, several = self._take("symbol"), self._take("symbols")
        if single is not None and several is not None:
            raise Refusal(-1128, "Combination of optional parameters invalid.")
        if single is not None:
            return [self._listed("symbol", single, listed)], True
        if several is None:
            return list(listed.values()), False
        try:
            names = msgspec.json.decode(several, type=list[str])
        except msgspec.MsgspecError as error:
            raise _illegal(
                "symbols", '^\\["[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}\\]$'
            ) from error
        return [self._listed("symbols", name, listed) for name in dict.fromkeys(names)], False

    def _listed(self, name: str, raw: str, listed: Mapping[str, Facts]) -> Facts:
        if not _SYMBOL.fullmatch(raw):
            raise _illegal(name, "^[A-Z0-9-_.]{1,20}$")
        if raw not in listed:
            raise Refusal(-1121, "Invalid symbol.")
        return listed[raw]

    def _must(self, name: str) -> str:
        raw = self._take(name)
        if raw is None:
            msg = f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
            raise Refusal(-1102, msg)
        return raw

    def _take(self, name: str) -> str | None:
        self._read.add(name)
        return self._query.get(name) or None


def _illegal(name: str, legal: str) -> Refusal:
    msg = f"Illegal characters found in parameter '{name}'; legal range is '{legal}'."
    return Refusal(-1100, msg)
