"""Which addresses the hub may talk to: decided on the spelling first, on every resolved address second.

Rule 1: a refusal happens before any packet is sent (a literal address, an odd spelling) or before any
packet is sent to the place refused (a name).
Rule 2: the address that was checked is the address that is connected to; nobody resolves a name twice.
Rule 3: one bad address among many refuses the name: honest names do not lead to both worlds.
Rule 4: configuration opens private networks, never the metadata services, multicast or tunnels.

Sources: IANA IPv4/IPv6 Special-Purpose Address Registries, RFC 6890, RFC 6052 (NAT64), RFC 3056 (6to4),
RFC 4380 (Teredo), RFC 5214 (ISATAP), RFC 3986 §3.2 (authority).
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from connectors.errors import Forbidden, Unanswerable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Lookup = Callable[[str], Awaitable[Sequence[str]]]  # a name -> its addresses, as text
Params = Mapping[str, str] | Sequence[tuple[str, str]]

LONGEST_URL = 16_384  # characters, query included
LOOKUP_THREADS = 8  # a name server that hangs must not take the threads of the rest of the hub

_AUTHORITY = re.compile(
    r"https?://(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::([1-9][0-9]{0,4}))?(?=[/?]|$)",
    re.IGNORECASE,
)
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_CONTROL = re.compile(r"[\x00-\x20\x7f-\x9f\\\ud800-\udfff]")
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


_TUNNEL = "隧道或地址转换 / a tunnel or translation"
_NEVER: tuple[tuple[str, tuple[Network, ...]], ...] = (
    (
        "云主机的元数据服务 / a metadata service",
        _networks(
            "169.254.169.254/32",
            "100.100.100.200/32",
            "168.63.129.16/32",
            "192.0.0.192/32",
            "fd00:ec2::254/128",
            "fd20:ce::254/128",
        ),
    ),
    ("链路本地地址 / link-local", _networks("169.254.0.0/16", "fe80::/10")),
    ("未指定地址或本网络 / unspecified or this network", _networks("0.0.0.0/8", "::/128")),
    ("组播地址 / multicast", _networks("224.0.0.0/4", "ff00::/8")),
    ("保留地址 / reserved", _networks("240.0.0.0/4", "192.0.0.0/24", "100::/64", "2001::/23")),
    (
        "文档示例地址 / documentation",
        _networks("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20"),
    ),
    (
        _TUNNEL,
        _networks(
            "64:ff9b::/96",
            "64:ff9b:1::/48",
            "2002::/16",
            "2001::/32",
            "::ffff:0:0/96",
            "::ffff:0:0:0/96",
            "192.88.99.0/24",
        ),
    ),
    (
        "AS112 黑洞地址 / AS112",
        _networks("192.31.196.0/24", "192.52.193.0/24", "192.175.48.0/24", "2620:4f:8000::/48"),
    ),
    ("站点本地地址 / site-local", _networks("fec0::/10")),
)
_PRIVATE: tuple[tuple[str, tuple[Network, ...]], ...] = (
    ("本机回环地址 / loopback", _networks("127.0.0.0/8", "::1/128")),
    ("内网地址 / private", _networks("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")),
    ("运营商共享地址 / shared by carriers", _networks("100.64.0.0/10")),
    ("测试专用地址 / for benchmarks", _networks("198.18.0.0/15")),
)
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")


def _found(address: Address, table: tuple[tuple[str, tuple[Network, ...]], ...]) -> str | None:
    return next((name for name, networks in table if any(address in network for network in networks)), None)


def forbidden(address: Address) -> str | None:
    """Why no configuration may open this address; None if there is no such reason."""
    if reason := _found(address, _NEVER):
        return reason
    if isinstance(address, ipaddress.IPv4Address) or _found(address, _PRIVATE):
        return None
    if address not in _GLOBAL_UNICAST:
        return "不是全球单播地址 / not global unicast"
    return _TUNNEL if (int(address) >> 32) & 0xFFFF_FFFF in _ISATAP else None


def private(address: Address) -> str | None:
    """Which private world the address belongs to; None for an address of the public Internet."""
    return _found(address, _PRIVATE)


def host_of(text: str) -> Address | str:
    """A host as written in a URL: a canonical literal address, or a lower-case ASCII name.

    Raises Forbidden for every spelling that some parser somewhere reads as another host: decimal, octal,
    hexadecimal and shortened IPv4, trailing or doubled dots, labels out of RFC 1123 §2.1.
    """
    text = text.lower()
    try:
        if text.startswith("["):
            return ipaddress.IPv6Address(text[1:-1])
        labels = text.split(".")
        if _NUMBER.fullmatch(labels[-1]):
            return ipaddress.IPv4Address(text)
    except ValueError:
        raise Forbidden("地址中 IP 的写法不规范 / the address spells an IP address in an odd way") from None
    if not all(_LABEL.fullmatch(label) for label in labels):
        raise Forbidden(
            "地址中没有合规的主机名，中文域名请写 xn-- 形式 / no proper host name (Chinese names: write xn--)"
        )
    return text


class Guard:
    """The networks (CIDR) and host names that may be private; all else must be a public address.

    A name opens private addresses for that name only. Raises ValueError for an entry that is neither.
    """

    def __init__(self, allowed: Sequence[str] = ()) -> None:
        self._networks: list[Network] = []
        self._names: set[str] = set()
        for entry in allowed:
            self._allow(entry)

    def _allow(self, entry: str) -> None:
        try:
            self._networks.append(ipaddress.ip_network(entry))
            return
        except ValueError:
            name = entry.lower()
        labels = name.split(".")
        if not all(_LABEL.fullmatch(label) for label in labels) or _NUMBER.fullmatch(labels[-1]):
            raise ValueError(
                f"{entry!r} 既不是网段（如 10.1.0.0/16）也不是主机名 / "
                f"is neither a network (10.1.0.0/16) nor a host name"
            ) from None
        self._names.add(name)

    def check(self, host: str, address: Address) -> None:
        """Raise Forbidden unless `host` may be reached at `address`."""
        if reason := forbidden(address):
            raise Forbidden(f"{host}：不得访问此类地址 / never to be reached: {reason}")
        if (reason := private(address)) and not self._opened(host, address):
            raise Forbidden(
                f'{host}：{reason}；如属本方，请写入 allowed_networks，例如 "{address}" / '
                f"if it is ours, name it in allowed_networks"
            )

    def _opened(self, host: str, address: Address) -> bool:
        return host in self._names or any(address in network for network in self._networks)

    def target(self, url: str, params: Params | None = None) -> URL:
        """The URL to ask, its spelling and any literal address checked; raises Forbidden, never echoes it.

        `params` are percent-encoded and appended; Unanswerable when they cannot be (too long, say).
        """
        host = self._spelling(url)
        if not isinstance(host, str):
            self.check(str(host), host)
        try:
            target = URL(url)
            raw = target.raw_host or ""
            seen = host_of(f"[{raw}]" if ":" in raw else raw)
        except ValueError:
            raise Forbidden("地址不是 URL / the address is not a URL") from None
        if seen != host:  # the client would go elsewhere than what was checked
            raise Forbidden("地址有歧义 / the address reads differently to different readers")
        return _with(target, params)

    def _spelling(self, url: str) -> Address | str:
        if len(url) > LONGEST_URL:
            raise Forbidden("地址过长 / the address is too long")
        if _CONTROL.search(url):
            raise Forbidden(
                "地址含空格、控制字符或反斜线 / the address holds blanks, control characters or backslashes"
            )
        if not (match := _AUTHORITY.match(url)):
            raise Forbidden(
                "地址应为 http(s)://主机[:端口]，不带账号，只用 ASCII / "
                "the address is not http(s)://host[:port] without credentials, in ASCII"
            )
        if int(match[2] or 80) > 65_535:
            raise Forbidden("端口不存在 / the address has an impossible port")
        return host_of(match[1])


def _with(target: URL, params: Params | None) -> URL:
    if not params:
        return target
    pairs = list(params.items() if isinstance(params, Mapping) else params)
    try:
        "".join(name + value for name, value in pairs).encode()  # yarl would drop lone surrogates silently
        asked = target.extend_query(pairs)
    except ValueError:
        raise Unanswerable(
            "参数不是 URL 可携带的文字 / a parameter is not text that a URL can carry"
        ) from None
    if len(asked.raw_path_qs) > LONGEST_URL:
        raise Unanswerable("参数使地址过长 / the parameters make the address too long")
    return asked


class PinnedResolver(AbstractResolver):
    """Resolves a name once and hands out checked addresses only, which are then connected to as they are.

    Raises Forbidden if any address of the name is not admitted, OSError if there is none.
    """

    def __init__(self, guard: Guard, lookup: Lookup | None = None) -> None:
        self._guard = guard
        self._lookup = lookup or self._ask_system
        self._threads = ThreadPoolExecutor(LOOKUP_THREADS, "names")  # starts no thread before it is needed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Checked addresses of `host`, in the order they were given; see the class."""
        addresses = [ipaddress.ip_address(text) for text in await self._lookup(host)]
        for address in addresses:
            self._guard.check(host, address)
        pinned = [_pinned(host, address, port) for address in addresses]
        fitting = [one for one in pinned if family in (socket.AF_UNSPEC, one["family"])]
        if not fitting:
            raise OSError(None, "no address for this name")
        return fitting

    async def _ask_system(self, host: str) -> Sequence[str]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        )
        return [str(entry[4][0]) for entry in found]

    async def close(self) -> None:
        """Let go of the threads without waiting for a name server."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _pinned(host: str, address: Address, port: int) -> ResolveResult:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    return {
        "hostname": host,
        "host": str(address),
        "port": port,
        "family": family,
        "proto": socket.IPPROTO_TCP,
        "flags": socket.AI_NUMERICHOST,
    }
