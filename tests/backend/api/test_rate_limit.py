from livegrad.api.limits import ADDRESSES_KEPT, WRONG_TOKENS, WRONG_TOKENS_SECS
from livegrad.api.rate_limit import Attempts


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def exhausted(attempts: Attempts, address: str) -> None:
    for _ in range(WRONG_TOKENS):
        assert attempts.wait_secs(address) == 0
        attempts.note_wrong(address)


def test_after_the_limit_an_address_waits_until_its_minute_is_over() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    exhausted(attempts, "10.0.0.1")
    assert attempts.wait_secs("10.0.0.1") == WRONG_TOKENS_SECS
    assert attempts.wait_secs("10.0.0.2") == 0
    clock.now += WRONG_TOKENS_SECS - 1
    assert attempts.wait_secs("10.0.0.1") == 1
    clock.now += 1
    exhausted(attempts, "10.0.0.1")


def test_a_few_wrong_ones_now_and_then_are_forgotten() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    for _ in range(10 * WRONG_TOKENS):
        attempts.note_wrong("10.0.0.1")
        clock.now += WRONG_TOKENS_SECS / (WRONG_TOKENS - 1)
        assert attempts.wait_secs("10.0.0.1") == 0


def test_all_addresses_of_an_ipv6_network_count_as_one() -> None:
    attempts = Attempts(Clock())
    exhausted(attempts, "2001:db8:0:1::1")
    assert attempts.wait_secs("2001:db8:0:1:ffff::2%eth0") > 0
    assert attempts.wait_secs("2001:db8:0:2::1") == 0


def test_an_ipv4_address_counts_as_one_through_ipv6_too() -> None:
    attempts = Attempts(Clock())
    exhausted(attempts, "::ffff:10.0.0.1")
    assert attempts.wait_secs("10.0.0.1") > 0
    assert attempts.wait_secs("10.0.0.2") == 0


def test_what_is_no_address_counts_too() -> None:
    attempts = Attempts(Clock())
    exhausted(attempts, "unknown")
    assert attempts.wait_secs("unknown") > 0


def test_no_more_addresses_are_kept_than_fit() -> None:
    attempts = Attempts(Clock())
    exhausted(attempts, "10.0.0.1")
    for number in range(ADDRESSES_KEPT):
        attempts.note_wrong(f"name-{number}")
    assert attempts.wait_secs("10.0.0.1") == 0
    assert len(attempts._wrong) == ADDRESSES_KEPT
