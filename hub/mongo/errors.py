"""What can go wrong in the database, sorted by what the hub does next.

* StorageError         this piece of work did not happen (or nobody can say that it did)
  x StorageDown        ... no server answered; go on without, or 503 with `retry_after`
    + StorageBusy      ... we have too much in flight ourselves
  x StorageConflict    ... a unique index objects; somebody else was first
  x StorageRefused     ... the server understood and said no; a fault of ours or of its configuration
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bson.errors import BSONError
from pymongo import errors as driver

_DUPLICATE = 11000
_NO_CHANGE_STREAMS = frozenset({40573, 40324})  # not a replica set; stage unknown to this server


class StorageError(Exception):
    """Work in the database failed. `detail` names the kind of failure, never a stored value."""

    code = "STORAGE_ERROR"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class StorageDown(StorageError):
    """No server answered in time. `retry_after` is in seconds."""

    code = "STORAGE_UNAVAILABLE"
    retry_after = 1.0


class StorageBusy(StorageDown):
    """Too many operations are waiting in this process already."""

    code = "STORAGE_BUSY"


class StorageConflict(StorageError):
    """A unique index already holds this key."""

    code = "STORAGE_CONFLICT"


class StorageRefused(StorageError):
    """The server understood and refused: credentials, command, document. `number` is MongoDB's error code."""

    code = "STORAGE_REFUSED"

    def __init__(self, detail: str, number: int | None = None) -> None:
        super().__init__(detail)
        self.number = number

    @property
    def without_change_streams(self) -> bool:
        """True when this server has no change streams at all, so asking again is of no use."""
        return self.number in _NO_CHANGE_STREAMS


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into ours, once, at the seam; the driver's stays as `__cause__`."""
    try:
        yield
    except (driver.PyMongoError, BSONError) as error:
        raise _ours(error) from error
    except (OverflowError, RecursionError, UnicodeError) as error:  # raised bare by BSON: huge, deep, broken
        raise StorageRefused(f"not storable: {type(error).__name__}") from error


def _ours(error: Exception) -> StorageError:
    kind = type(error).__name__
    match error:
        case driver.DuplicateKeyError():
            return StorageConflict("a unique index already holds this key")
        case driver.BulkWriteError():
            return _of_a_batch(error)
        case driver.ExecutionTimeout() | driver.WTimeoutError():
            return StorageDown(f"the database took too long ({kind})")
        case driver.OperationFailure():
            return StorageRefused(f"the database refused ({error.code})", error.code)
        case driver.ConnectionFailure() | driver.InvalidOperation():
            return StorageDown(f"no database answered ({kind})")
        case _:
            return StorageRefused(f"not storable: {kind}")


def _of_a_batch(error: driver.BulkWriteError) -> StorageError:
    faults = (error.details or {}).get("writeErrors", [])
    codes = {fault.get("code") for fault in faults}
    if codes == {_DUPLICATE}:
        return StorageConflict(f"a unique index already holds {len(faults)} of these keys")
    if not codes:
        return StorageDown("the batch was not acknowledged by a majority in time")
    return StorageRefused(f"the database refused a part of the batch ({sorted(codes)})")
