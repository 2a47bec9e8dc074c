"""Cookies as browsers send them, and one-time links.

The parts of signing in that need no server.
"""

from typing import Any

import pytest

from livegrad.api.auth import Authenticator, values
from livegrad.api.refusals import Refusal
from livegrad.hosts import AllowedHosts


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("a=1", ["1"]),
        ("b=2; a=1", ["1"]),
        ("a=1; a=2", ["1", "2"]),
        (" a\t=\t1 ;c", ["1"]),
        ("a=x=y", ["x=y"]),
        ("aa=1; A=2", []),
        ("", []),
        ("a", [""]),
        ('b="; a=1', ["1"]),  # other programs' cookies may be anything
    ],
)
def test_each_value_of_a_cookie_is_found_beside_whatever_else_is_sent(
    header: str, found: list[str]
) -> None:
    assert values(header, "a") == found


def request(**headers: str) -> dict[str, Any]:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "headers": raw, "client": ("127.0.0.1", 1), "query_string": b""}


def authenticator(token: str | None) -> Authenticator:
    return Authenticator(token, AllowedHosts("127.0.0.1", (), 8000), 8000)


def test_without_a_token_everybody_is_let_in_and_there_are_no_links() -> None:
    made = authenticator(None)
    made.check(request())
    assert made.one_time_path() == ""
    assert not made.is_token("", request())


def test_a_link_is_good_once_and_only_the_one_that_was_made() -> None:
    made = authenticator("secret-enough")
    path = made.one_time_path()
    code = path.partition("?")[2].encode()
    assert made.redeem(request() | {"query_string": code})
    assert not made.redeem(request() | {"query_string": code})
    for other in (b"", b"code=", b"code=%ff", b"code=wrong"):
        assert not made.redeem(request() | {"query_string": other})


def test_a_cookie_is_good_for_its_token_alone_and_does_not_hold_it() -> None:
    one, other = authenticator("secret-enough"), authenticator("another-secret")
    cookie = one.cookie(request(host="127.0.0.1:8000")).partition(";")[0]
    assert "secret-enough" not in cookie
    one.check(request(cookie=cookie))
    with pytest.raises(Refusal):
        other.check(request(cookie=cookie))


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_token_is_taken_as_a_bearer(scheme: str) -> None:
    made = authenticator("secret-enough")
    made.check(request(authorization=f"{scheme} secret-enough"))
    for wrong in ("", "Basic secret-enough", "Bearer", "Bearer secret", "secret-enough"):
        with pytest.raises(Refusal) as refused:
            made.check(request(authorization=wrong))
        assert refused.value.status == 401
