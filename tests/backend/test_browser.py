"""Which browsers are opened: those with windows, where there is a screen."""

import webbrowser

import pytest

from livegrad.browser import has_screen, is_graphical


@pytest.mark.parametrize(
    ("environment", "platform", "has"),
    [
        ({}, "linux", False),
        ({"DISPLAY": ""}, "linux", False),
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({}, "darwin", True),
        ({"SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"}, "darwin", False),
        ({}, "win32", True),
    ],
)
def test_there_is_a_screen_where_windows_are_seen(
    environment: dict[str, str], platform: str, has: bool
) -> None:
    assert has_screen(environment, platform) is has


@pytest.mark.parametrize(
    "name", ["www-browser", "links", "elinks", "lynx", "w3m", "/usr/bin/lynx", "anything"]
)
def test_a_program_that_is_waited_for_is_one_of_the_console(name: str) -> None:
    assert not is_graphical(webbrowser.GenericBrowser(name))


@pytest.mark.parametrize("name", ["lynx", "/usr/bin/w3m"])
def test_a_console_browser_is_one_in_the_background_too(name: str) -> None:
    assert not is_graphical(webbrowser.BackgroundBrowser(name))


def test_browsers_with_windows_are_opened() -> None:
    assert is_graphical(webbrowser.BackgroundBrowser("xdg-open"))
    assert is_graphical(webbrowser.Mozilla("firefox"))
