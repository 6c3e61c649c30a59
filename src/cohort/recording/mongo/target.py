"""MongoDB: where a server is, and how to reach it.

pymongo is imported when it is first needed: runs without a database do not wait for it.
"""

import re
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cohort.errors import UserError
from cohort.recording.credentials import EXAMPLE

if TYPE_CHECKING:
    from pymongo.database import Database

VARIABLE = "COHORT_MONGO_URL"
DEFAULT_DATABASE = "cohort"
SELECTION_MS = 2000  # how long a server is looked for
_REFUSED_LOGIN = (18, 8000)  # AuthenticationFailed, and Atlas's own
_NOT_ALLOWED = 13


@dataclass(frozen=True)
class MongoTarget:
    """A database on a server. Neither its text nor its messages name the user or the password."""

    url: str = field(repr=False)
    database: str = DEFAULT_DATABASE

    def __post_init__(self) -> None:
        """Look at the address without looking for the server.

        Raises:
            UserError: `url` is no address of MongoDB, or pymongo is not installed.
        """
        self._parsed()

    @property
    def place(self) -> str:
        """Host and port, as `db.lab:27017`."""
        nodes = self._parsed()["nodelist"]
        if self.url.startswith("mongodb+srv"):
            return nodes[0][0]
        return ",".join(host if port is None else f"{host}:{port}" for host, port in nodes)

    def connect(self, *, socket_seconds: float = 60.0) -> "Database[dict[str, Any]]":
        """The database, once the server has let us read in it.

        Writes are on the server's disk when they return. `socket_seconds` bounds the wait for any one answer.

        Raises:
            UserError: the server cannot be reached or refuses us; see `explain`.
        """
        import pymongo
        from pymongo.errors import PyMongoError

        try:
            client: Any = pymongo.MongoClient(
                self.url,
                appname="cohort",
                journal=True,
                serverSelectionTimeoutMS=SELECTION_MS,
                connectTimeoutMS=SELECTION_MS,
                socketTimeoutMS=int(1000 * socket_seconds),
            )
        except PyMongoError as error:
            raise UserError(self.explain(error)) from None
        try:
            database = client[self.database]
            database["runs"].find_one({}, {"_id": 1})
        except PyMongoError as error:
            client.close()
            raise UserError(self.explain(error)) from None
        return database

    def explain(self, error: Exception) -> str:
        """What went wrong with this server, in one sentence without credentials."""
        from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError

        where = f"MongoDB at {self.place}"
        if isinstance(error, OperationFailure) and error.code in _REFUSED_LOGIN:
            return f"{where} refuses the user name or the password."
        if isinstance(error, OperationFailure) and error.code == _NOT_ALLOWED:
            return (
                f"{where} does not let us use its database {self.database!r}: a user with the role readWrite is "
                f"needed ({EXAMPLE})."
            )
        if isinstance(error, ConnectionFailure):
            return f"{where} cannot be reached ({_reason(str(error))})."
        kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
        text = str(error).splitlines()[0][:300] if str(error) else ""
        action = "fails" if isinstance(error, PyMongoError) else "cannot be given this record"
        return f"{where} {action} ({self._scrubbed(kind + text)})."

    def _parsed(self) -> dict[str, Any]:
        try:
            from pymongo.errors import PyMongoError
            from pymongo.uri_parser import parse_uri
        except ImportError as error:
            raise UserError(
                "MongoDB was asked for but pymongo is not installed. Type: pip install -r requirements.txt"
            ) from error
        # Looking up the servers of a mongodb+srv address takes the network: here its form alone is looked at.
        plain = re.sub(r"^mongodb\+srv://", "mongodb://", self.url)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return parse_uri(plain)
        except (PyMongoError, ValueError):
            raise UserError(  # pymongo's own message may quote a part of the password
                f"--mongo (or {VARIABLE}) is not an address that MongoDB knows. It has the form {EXAMPLE}\n"
                "In the user's name and password, write @ as %40, : as %3A, / as %2F and % as %25."
            ) from None

    def _scrubbed(self, text: str) -> str:
        parsed = self._parsed()
        for secret in (self.url, parsed["password"], parsed["username"]):
            if secret:
                text = text.replace(secret, "***")
        return text


def connect(url: str, database: str = DEFAULT_DATABASE) -> "Database[dict[str, Any]]":
    """The database of runs at `url`, laid out as this module says. Close it with `.client.close()`.

    Raises:
        UserError: `url` is no address, or the server cannot be reached or refuses us.
    """
    return MongoTarget(url, database).connect()


def _reason(text: str) -> str:
    """The one part of pymongo's half page on a lost connection that helps."""
    if number := re.search(r"\[Errno -?\d+\] ([^,(]+)", text):
        return number[1].strip().lower()
    for sign in ("timed out", "connection closed", "SSL"):
        if sign in text:
            return "it does not answer" if sign == "timed out" else sign
    return "no answer"
