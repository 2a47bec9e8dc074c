import pytest

from livegrad.errors import SettingsError
from livegrad.hosts import Address, AllowedHosts, name

HERE = ("192.168.1.5", 8000)


def origins(host: str, *allowed: str, listening: str = "127.0.0.1", port: int = 8000) -> set[str]:
    return AllowedHosts(listening, allowed, port).origins(host, ("127.0.0.1", port))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lab", Address("lab", 8000)),
        ("LAB.example", Address("lab.example", 8000)),
        ("lab:81", Address("lab", 81)),
        ("192.168.1.5", Address("192.168.1.5", 8000)),
        ("[fe80::1]:81", Address("[fe80::1]", 81)),
        ("http://lab", Address("lab", 80)),
        ("https://lab", Address("lab", 443, "https")),
        ("https://lab:8443", Address("lab", 8443, "https")),
    ],
)
def test_a_name_is_read_as_browsers_will_write_it(text: str, expected: Address) -> None:
    assert name(text, 8000) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "*.lab",
        "lab.",
        ".lab",
        "lab:",
        "lab:x",
        "lab/",
        "https://lab/",
        "ftp://lab",
        "a b",
        "u@lab",
        "fe80::1",
    ],
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="expected NAME"):
        name(text, 8000)


def test_each_loopback_name_has_its_own_origin() -> None:
    for host in ("127.0.0.1:8000", "localhost:8000", "[::1]:8000"):
        assert origins(host) == {f"http://{host}"}
        assert origins(host.upper()) == {f"http://{host}"}


def test_on_port_80_the_port_may_be_left_out_and_the_origin_has_none() -> None:
    for host in ("localhost", "localhost:80"):
        assert origins(host, port=80) == {"http://localhost"}


def test_a_proxys_name_has_the_origin_of_its_scheme() -> None:
    assert origins("lab", "https://lab") == {"https://lab"}
    assert origins("lab:443", "https://lab") == {"https://lab"}
    assert origins("lab:8000", "https://lab") == set()


def test_a_name_may_be_reached_in_both_ways_if_both_are_given() -> None:
    assert origins("lab", "https://lab", "http://lab") == {"https://lab", "http://lab"}


def test_the_name_to_listen_at_is_a_name_of_ours() -> None:
    assert origins("lab:8000", listening="lab") == {"http://lab:8000"}
    assert origins("0.0.0.0:8000", listening="0.0.0.0") == set()
    assert origins("[::]:8000", listening="::") == set()


@pytest.mark.parametrize(
    ("reached_at", "host"),
    [
        (("192.168.1.5", 8000), "192.168.1.5:8000"),
        (("fd00::5", 8000), "[fd00::5]:8000"),
        (("::ffff:192.168.1.5", 8000), "192.168.1.5:8000"),
        (("192.168.1.5", 80), "192.168.1.5"),
    ],
)
def test_the_address_that_was_reached_is_a_name_of_ours(
    reached_at: tuple[str, int], host: str
) -> None:
    assert AllowedHosts("::", (), 8000).origins(host, reached_at) == {f"http://{host}"}


@pytest.mark.parametrize(
    "reached_at", [None, ("192.168.1.6", 8000), ("192.168.1.5", 8001), ("/run/socket", None)]
)
def test_another_address_is_none_of_ours(reached_at: tuple[str, int | None] | None) -> None:
    assert AllowedHosts("0.0.0.0", (), 8000).origins("192.168.1.5:8000", reached_at) == set()
