"""Which addresses the hub may talk to, told spelling by spelling."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.address import Guard, PinnedResolver, forbidden, private
from connectors.errors import Forbidden, Unanswerable

REFUSED_SPELLINGS = [
    "http://2130706433/",  # decimal
    "http://0x7f000001/",  # hexadecimal
    "http://0x7f.0.0.1/",
    "http://0x/",
    "http://017700000001/",  # octal
    "http://0177.0.0.1/",
    "http://127.000.000.001/",
    "http://127.1/",  # shortened
    "http://127.0.1/",
    "http://1.1.1.1.1/",
    "http://256.1.1.1/",
    "http://8.8.8.8./",  # trailing dot
    "http://county.example./",
    "http://county..example/",
    "http://.example/",
    "http://-county.example/",
    "http://county-.example/",
    "http://" + "a" * 64 + ".example/",
    "http://user@county.example/",  # userinfo
    "http://user:secret@county.example/",
    "http://county.example@127.0.0.1/",
    "http://county.example\\@127.0.0.1/",  # backslash
    "http:\\\\county.example/",
    "http://county.example/a\\b",
    "http:/county.example/",
    "http:county.example/",
    "http:///county.example/",
    "//county.example/",
    "county.example",
    "",
    "http://",
    "http:///",
    "ftp://county.example/",  # not http
    "file:///etc/passwd",
    "gopher://county.example/",
    "javascript:alert(1)",
    "ws://county.example/",
    "http+unix://county.example/",
    "http://county.example:0/",  # ports
    "http://county.example:/",
    "http://county.example:65536/",
    "http://county.example:080/",
    "http://county.example:80a/",
    "http://county.example:-1/",
    "http://county.example:99999999/",
    "http://county.example#@127.0.0.1/",
    "http://county.example;127.0.0.1/",
    "http://county.example,127.0.0.1/",
    "http://county%2eexample/",  # escapes in the host
    "http://%31%32%37.0.0.1/",
    "http://127。0。0。1/",  # what IDNA would fold into digits and dots
    "http://１２７.0.0.1/",
    "http://①②⑦.0.0.1/",
    "http://教育.example/",
    "http://county.example/\r\nHost: other",  # line breaks and blanks
    "http://county.example/\n",
    "http://county.example/a b",
    "http://county.example/\x00",
    "http://county\texample/",
    " http://county.example/",
    "http://county.example/\x85",
    "http://county.example/\ud800",
    "http://[::1/",  # brackets
    "http://::1/",
    "http://[::1]x/",
    "http://[::1%25lo]/",
    "http://[fe80::1%eth0]/",
    "http://[v1.a]/",
    "http://[127.0.0.1]/",
    "http://[]/",
    "http://[1:2:3]/",
    "http://county.example/" + "a" * 20_000,
]

NEVER = [
    "169.254.169.254",  # metadata
    "169.254.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "0.0.0.0",
    "0.1.2.3",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "198.51.100.7",
    "203.0.113.9",
    "192.88.99.1",
    "::",
    "fe80::1",
    "fec0::1",
    "feff::1",
    "ff02::1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:c0a8:101::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1",
    "3fff::1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:0:7f00:1",
    "::127.0.0.1",
    "100::1",
    "5f00::1",
    "4000::1",
    "fd00:ec2::254",
    "2606:4700::5efe:7f00:1",
    "2606:4700::200:5efe:7f00:1",
]

PRIVATE = [
    "127.0.0.1",
    "127.255.255.254",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "100.127.255.254",
    "198.18.0.1",
    "198.19.255.255",
    "::1",
    "fc00::1",
    "fdff::1",
]

PUBLIC = [
    "8.8.8.8",
    "1.1.1.1",
    "172.15.255.255",
    "172.32.0.1",
    "100.63.255.255",
    "100.128.0.1",
    "11.0.0.1",
    "223.255.255.255",
    "192.167.255.255",
    "2606:4700:4700::1111",
    "240e::1",
    "2408:8000::1",
]


def literal(address: str) -> str:
    return f"http://[{address}]/" if ":" in address else f"http://{address}/"


@pytest.mark.parametrize("url", REFUSED_SPELLINGS)
def test_an_odd_spelling_is_refused_even_where_everything_private_is_allowed(url: str) -> None:
    guard = Guard(["0.0.0.0/0", "::/0", "county.example", "localhost"])
    with pytest.raises(Forbidden):
        guard.target(url)


@pytest.mark.parametrize("address", NEVER)
def test_no_configuration_opens_metadata_tunnels_or_multicast(address: str) -> None:
    assert forbidden(ipaddress.ip_address(address))
    with pytest.raises(Forbidden):
        Guard(["0.0.0.0/0", "::/0"]).target(literal(address))


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_needs_to_be_allowed(address: str) -> None:
    assert private(ipaddress.ip_address(address))
    with pytest.raises(Forbidden):
        Guard().target(literal(address))
    assert Guard([address]).target(literal(address)).host == address
    assert Guard(["0.0.0.0/0", "::/0"]).target(literal(address)).host == address


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_needs_no_configuration(address: str) -> None:
    assert Guard().target(literal(address)).host == address


def test_allowing_one_network_opens_no_other() -> None:
    guard = Guard(["10.1.0.0/16"])
    assert guard.target("http://10.1.2.3/").host == "10.1.2.3"
    for other in ("http://10.2.0.1/", "http://127.0.0.1/", "http://[::1]/"):
        with pytest.raises(Forbidden):
            guard.target(other)


@pytest.mark.parametrize(
    ("url", "goes_to"),
    [
        ("http://county.example/a", "http://county.example/a"),
        ("HTTPS://County.Example:8443/a?b=c", "https://county.example:8443/a?b=c"),
        ("http://my_service.local?x=1", "http://my_service.local/?x=1"),
        ("https://xn--fiq228c.example/", "https://xn--fiq228c.example/"),
        (
            "http://county.example/教材/三年级",
            "http://county.example/%E6%95%99%E6%9D%90/%E4%B8%89%E5%B9%B4%E7%BA%A7",
        ),
        ("http://county.example/?at=me@school.example", "http://county.example/?at=me@school.example"),
        ("http://8.8.8.8:1/", "http://8.8.8.8:1/"),
        ("http://7eleven.3m/", "http://7eleven.3m/"),
    ],
)
def test_an_honest_address_goes_where_it_says(url: str, goes_to: str) -> None:
    assert str(Guard().target(url)).removesuffix("#") == goes_to


def test_parameters_cannot_leave_the_query() -> None:
    target = Guard().target(
        "http://county.example/a?x=1", {"name": "李 &x=2#/../\r\nHost: other", "plus": "+"}
    )
    assert target.host == "county.example"
    assert target.path == "/a"
    assert target.query["name"] == "李 &x=2#/../\r\nHost: other"
    assert target.query.getall("x") == ["1"]
    assert target.query["plus"] == "+"
    assert "\r" not in str(target)
    assert "\n" not in str(target)


def test_repeated_parameters_stay_repeated() -> None:
    target = Guard().target("http://county.example/", [("key", "1"), ("key", "2")])
    assert target.query.getall("key") == ["1", "2"]


@pytest.mark.parametrize("value", ["\ud800", "x" * 20_000])
def test_a_parameter_that_no_address_can_carry_is_our_own_fault(value: str) -> None:
    with pytest.raises(Unanswerable):
        Guard().target("http://county.example/", {"name": value})


def test_a_refusal_repeats_neither_credentials_nor_query() -> None:
    for url in ("http://teacher:hunter2@county.example/", "http://127.0.0.1/?token=hunter2"):
        with pytest.raises(Forbidden) as refused:
            Guard().target(url)
        assert "hunter2" not in refused.value.detail


@pytest.mark.parametrize(
    "entry", ["", "*", "10.0.0.1/8", "10.0.0", "0x7f.1", "http://county.example", "a b", "::1/200"]
)
def test_a_wrong_entry_among_the_allowed_is_refused_at_once(entry: str) -> None:
    with pytest.raises(ValueError, match="neither a network"):
        Guard([entry])


@given(st.text(max_size=80))
@settings(max_examples=150, deadline=None)
def test_whatever_text_comes_it_is_a_target_or_untrusted(text: str) -> None:
    for url in (text, f"http://{text}", f"http://county.example/{text}"):
        try:
            target = Guard().target(url)
        except Forbidden:
            continue
        assert target.scheme in ("http", "https")
        assert not target.user


@given(st.ip_addresses())
@settings(max_examples=300, deadline=None)
def test_what_python_calls_not_global_is_never_public_for_us(address: ipaddress.IPv4Address) -> None:
    if not address.is_global or address.is_multicast:
        with pytest.raises(Forbidden):
            Guard().check("county.example", address)


def resolver(guard: Guard, *answers: Sequence[str]) -> PinnedResolver:
    """A resolver whose name server changes its mind from one question to the next."""
    coming = iter(answers)

    async def lookup(_: str) -> Sequence[str]:
        return next(coming)

    return PinnedResolver(guard, lookup)


async def test_a_name_yields_the_addresses_that_were_checked() -> None:
    pinned = await resolver(Guard(), ["8.8.8.8", "2606:4700:4700::1111"]).resolve("county.example", 443)
    assert [(one["host"], one["port"], one["family"]) for one in pinned] == [
        ("8.8.8.8", 443, socket.AF_INET),
        ("2606:4700:4700::1111", 443, socket.AF_INET6),
    ]
    assert all(one["flags"] & socket.AI_NUMERICHOST for one in pinned)


@pytest.mark.parametrize("bad", [*NEVER, *PRIVATE])
async def test_one_bad_address_among_good_ones_refuses_the_name(bad: str) -> None:
    with pytest.raises(Forbidden):
        await resolver(Guard(), ["8.8.8.8", bad]).resolve("county.example", 80)


async def test_a_link_local_answer_with_a_zone_is_refused() -> None:
    with pytest.raises(Forbidden):
        await resolver(Guard(["::/0"]), ["fe80::1%1"]).resolve("county.example", 80)


async def test_a_name_that_changes_its_mind_is_checked_each_time() -> None:
    rebinding = resolver(Guard(), ["8.8.8.8"], ["127.0.0.1"])
    await rebinding.resolve("county.example", 80)
    with pytest.raises(Forbidden):
        await rebinding.resolve("county.example", 80)


async def test_an_allowed_name_may_be_private_but_never_a_metadata_service() -> None:
    guard = Guard(["school.internal"])
    assert await resolver(guard, ["10.0.0.7"]).resolve("school.internal", 80)
    with pytest.raises(Forbidden):
        await resolver(guard, ["10.0.0.7"]).resolve("stranger.internal", 80)
    with pytest.raises(Forbidden):
        await resolver(guard, ["169.254.169.254"]).resolve("school.internal", 80)


async def test_a_name_without_addresses_of_the_wanted_family_is_unknown() -> None:
    with pytest.raises(OSError, match="no address"):
        await resolver(Guard(), ["8.8.8.8"]).resolve("county.example", 80, socket.AF_INET6)


async def test_the_system_knows_localhost() -> None:
    own = PinnedResolver(Guard(["localhost"]))
    assert {one["host"] for one in await own.resolve("localhost", 80)} <= {"127.0.0.1", "::1"}
    await own.close()


def test_a_private_address_is_refused_as_an_address_in_both_languages_with_what_to_write() -> None:
    with pytest.raises(Forbidden) as refused:
        Guard().target("http://10.1.2.3/")
    assert refused.value.code == "SOURCE_ADDRESS"
    assert "内网地址" in refused.value.detail
    assert 'allowed_networks，例如 "10.1.2.3"' in refused.value.detail
    assert Guard(["10.1.2.3"]).target("http://10.1.2.3/").host == "10.1.2.3"
