"""What the cache itself may refuse; everything else that `get` raises is the source's own error."""

from __future__ import annotations


class CacheBusy(Exception):
    """Too much is being loaded or waited for in this process. `retry_after` is in seconds."""

    code = "OVERLOADED"
    retry_after = 1.0


class CacheClosed(Exception):
    """The hub is stopping."""

    code = "OVERLOADED"
    retry_after = 1.0
