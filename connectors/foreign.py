"""Where foreign HTTP failures become our errors, once: statuses here, exceptions of the client there.

Rule 1: no I/O. Rule 2: details name the place and the status, never what the source or the client wrote.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp
from aiohttp.http_exceptions import ContentLengthError, TransferEncodingError

from connectors.errors import Forbidden, Malformed, Overloaded, Refused, SourceError, Unavailable, Untrusted

LONGEST_WAIT = 60.0  # seconds; no source may ask for more patience


def status_of(error: SourceError) -> int:
    """The HTTP status that led to this error (also its attribute `status`); 0 where none arrived."""
    status = getattr(error, "status", 0)
    return status if isinstance(status, int) else 0


def refusal(status: int, headers: Mapping[str, str], place: str, now: datetime | None = None) -> SourceError:
    """The error for a status other than 2xx and 304; its attribute `status` is set."""
    detail = f"{place}: status {status}"
    error = _sorted(status, headers.get("Retry-After", ""), detail, now or datetime.now(UTC))
    vars(error)["status"] = status
    return error


def _sorted(status: int, retry_after: str, detail: str, now: datetime) -> SourceError:
    wait = patience(retry_after, now)
    if status == 429:
        return Overloaded(detail, 1.0 if wait is None else wait)
    if status == 503 and wait is not None:
        return Overloaded(detail, wait)
    if status in (502, 503, 504):
        return Unavailable(detail)
    return Refused(detail) if 300 <= status < 500 else Malformed(detail)


def patience(text: str, now: datetime) -> float | None:
    """Retry-After in seconds, 0 to 60, from seconds or an HTTP date (RFC 9110 §10.2.3); None if neither."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_WAIT) if len(text) < 10 else LONGEST_WAIT
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, OverflowError, IndexError, TypeError):
        return None
    moment = when if when.tzinfo else when.replace(tzinfo=UTC)
    return min(max((moment - now).total_seconds(), 0.0), LONGEST_WAIT)


def translated(cause: BaseException | None, place: str) -> SourceError:
    """The error for an exception of the client or the system below it."""
    if _is_tls(cause):
        return Untrusted(f"{place}: its certificate or TLS does not hold")
    if isinstance(cause, aiohttp.InvalidURL):
        return Forbidden(f"{place}: 地址不是 URL / the address is not a URL")
    if isinstance(cause, aiohttp.ClientResponseError) or _is_broken_framing(cause):
        return Malformed(f"{place}: does not speak HTTP")
    return Unavailable(f"{place}: {_manner(cause)}")


def _is_tls(cause: BaseException | None) -> bool:
    if isinstance(cause, aiohttp.ServerFingerprintMismatch | aiohttp.ClientConnectorCertificateError):
        return True
    if isinstance(cause, aiohttp.ClientConnectorError):
        cause = cause.os_error
    elif isinstance(cause, aiohttp.ClientOSError):
        cause = cause.__cause__
    hung_up = isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError)
    return isinstance(cause, ssl.SSLError) and not hung_up


def _is_broken_framing(cause: BaseException | None) -> bool:
    # An answer that merely stopped has one of two causes; any other payload error broke the framing.
    stopped = ContentLengthError | TransferEncodingError
    return isinstance(cause, aiohttp.ClientPayloadError) and not isinstance(cause.__cause__, stopped)


def _manner(cause: BaseException | None) -> str:
    if isinstance(cause, aiohttp.ClientConnectorDNSError):
        return "its name is unknown"
    if isinstance(cause, aiohttp.ClientConnectorError):
        return "does not accept connections"
    return "hung up before the answer was whole"
