"""Everything comes from this server: the page, the reader of the REST interface,
and nothing else is ever asked.
"""

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.complaints import Complaints
from tests.browser.conftest import MakeRun, OpenPage
from tests.running import Server


def test_the_description_of_the_rest_interface_works_offline(
    server: Server, browser: Browser, complaints: Complaints
) -> None:
    context = browser.new_context()
    complaints.listen(context, server.url)
    page = context.new_page()
    page.goto(f"{server.url}/docs")
    operations = page.locator("#swagger .opblock")
    document = server.client.get("/openapi.json").json()
    methods = {"get", "post", "put", "patch", "delete"}
    expect(operations).to_have_count(
        sum(len(methods & set(path)) for path in document["paths"].values())
    )
    create = page.locator(".opblock-post").filter(has_text="/api/runs").first
    create.locator(".opblock-summary-control").click()
    expect(create.locator(".opblock-body")).to_contain_text("hidden")
    context.close()


def test_a_whole_session_asks_nobody_else(
    server: Server, make_run: MakeRun, open_page: OpenPage
) -> None:
    dashboard = open_page(server, make_run())
    asked: list[str] = []
    dashboard.page.on("request", lambda request: asked.append(request.url))
    dashboard.page.reload()
    dashboard.stands_at(0)
    for opener in ("#open-form", "#open-runs"):
        dashboard.page.click(opener)
        expect(dashboard.page.locator("dialog[open]")).to_be_visible()
        dashboard.page.keyboard.press("Escape")
    dashboard.page.click("#train")
    dashboard.wait("() => livegrad.store.state.run.step > 20")
    dashboard.page.click("#train")
    expect(dashboard.page.locator("#state")).to_have_text("paused")
    assert len(asked) > 20
    assert {url.split("/")[2] for url in asked} == {f"127.0.0.1:{server.port}"}


@pytest.mark.parametrize(
    ("act", "heard"),
    [
        ("() => console.error('alas')", "alas"),
        ("() => void setTimeout(() => { throw new Error('thrown late') })", "thrown late"),
        ("() => void fetch('http://127.0.0.1:9/elsewhere').catch(() => 0)", "127.0.0.1:9"),
        ("() => document.body.setAttribute('onclick', 'alert(1)')", "Content Security Policy"),
        (
            "() => document.body.insertAdjacentHTML('beforeend', '<p style=color:red>')",
            "Content Security Policy",
        ),
        (
            "() => document.body.append(Object.assign(document.createElement('script'), {text: "
            "'1'}))",
            "Security Policy",
        ),
    ],
    ids=["logged", "thrown", "another host", "inline handler", "inline style", "inline script"],
)
def test_what_a_page_must_not_do_is_heard(
    server: Server,
    make_run: MakeRun,
    open_page: OpenPage,
    complaints: Complaints,
    act: str,
    heard: str,
) -> None:
    dashboard = open_page(server, make_run())
    dashboard.stands_at(0)
    assert complaints.unforgiven() == []
    dashboard.page.evaluate(act)
    dashboard.page.evaluate("() => new Promise((resolve) => setTimeout(resolve, 50))")
    assert any(heard in text for text in complaints.heard), complaints.heard
    complaints.forgive("")
