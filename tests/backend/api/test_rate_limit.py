from livegrad.api.limits import ADDRESSES_KEPT, WRONG_TOKENS, WRONG_TOKENS_SECS
from livegrad.api.rate_limit import RateLimit


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def exhausted(limit: RateLimit, address: str) -> None:
    for _ in range(WRONG_TOKENS):
        assert limit.wait_secs(address) == 0
        limit.note_wrong(address)


def test_after_the_limit_an_address_waits_until_its_minute_is_over() -> None:
    clock = Clock()
    limit = RateLimit(clock)
    exhausted(limit, "10.0.0.1")
    assert limit.wait_secs("10.0.0.1") == WRONG_TOKENS_SECS
    assert limit.wait_secs("10.0.0.2") == 0
    clock.now += WRONG_TOKENS_SECS - 1
    assert limit.wait_secs("10.0.0.1") == 1
    clock.now += 1
    exhausted(limit, "10.0.0.1")


def test_a_few_wrong_ones_now_and_then_are_forgotten() -> None:
    clock = Clock()
    limit = RateLimit(clock)
    for _ in range(10 * WRONG_TOKENS):
        limit.note_wrong("10.0.0.1")
        clock.now += WRONG_TOKENS_SECS / (WRONG_TOKENS - 1)
        assert limit.wait_secs("10.0.0.1") == 0


def test_all_addresses_of_an_ipv6_network_count_as_one() -> None:
    limit = RateLimit(Clock())
    exhausted(limit, "2001:db8:0:1::1")
    assert limit.wait_secs("2001:db8:0:1:ffff::2%eth0") > 0
    assert limit.wait_secs("2001:db8:0:2::1") == 0


def test_an_ipv4_address_counts_as_one_through_ipv6_too() -> None:
    limit = RateLimit(Clock())
    exhausted(limit, "::ffff:10.0.0.1")
    assert limit.wait_secs("10.0.0.1") > 0
    assert limit.wait_secs("10.0.0.2") == 0


def test_what_is_no_address_counts_too() -> None:
    limit = RateLimit(Clock())
    exhausted(limit, "unknown")
    assert limit.wait_secs("unknown") > 0


def test_no_more_addresses_are_kept_than_fit() -> None:
    limit = RateLimit(Clock())
    exhausted(limit, "10.0.0.1")
    for number in range(ADDRESSES_KEPT):
        limit.note_wrong(f"name-{number}")
    assert limit.wait_secs("10.0.0.1") == 0
    assert len(limit._wrong) == ADDRESSES_KEPT
