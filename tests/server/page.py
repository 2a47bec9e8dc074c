"""What a page makes a browser fetch, followed link by link. Knows nothing about who serves it."""

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import httpx

# What a browser fetches by itself; <a href> is not among it.
LOADED = {
    "script": "src",
    "link": "href",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "use": "href",
}
COMMENTS = re.compile(r"/\*.*?\*/|^\s*//[^\n]*", re.DOTALL | re.MULTILINE)
IMPORTS = re.compile(
    r"""\b(?:import|export)\b[^"'`;()=]*?\bfrom\s*["'](?P<from>[^"']+)["']"""
    r"""|\bimport\s*["'](?P<bare>[^"']+)["']"""
    r"""|\bimport\s*\(\s*["'](?P<later>[^"']+)["']"""
)
STYLE_LINKS = re.compile(r"""url\(\s*["']?([^"')]+)|@import\s+["']([^"']+)""")


@dataclass(frozen=True, slots=True)
class Link:
    """One address that something refers to."""

    address: str
    is_module: bool = False
    is_later: bool = False  # import(): fetched when its moment comes, not with the page


class Markup(HTMLParser):
    """The links of an HTML page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[Link] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        address = attributes.get(LOADED.get(tag, ""))
        if address:
            is_module = (
                attributes.get("type") == "module" or attributes.get("rel") == "modulepreload"
            )
            self.links.append(Link(address, is_module))


def style_links(text: str) -> list[Link]:
    found = (one or other for one, other in STYLE_LINKS.findall(COMMENTS.sub("", text)))
    return [Link(address) for address in found if not address.startswith(("data:", "#"))]


def module_links(text: str) -> list[Link]:
    found = (match.groupdict() for match in IMPORTS.finditer(COMMENTS.sub("", text)))
    return [
        Link(one["from"] or one["bare"] or one["later"], True, is_later=one["later"] is not None)
        for one in found
    ]


def links(content_type: str, text: str, is_module: bool) -> list[Link]:
    """Find what a page, a style sheet or a module refers to.

    Of a classic script nothing is asked.
    """
    if "html" in content_type:
        return Markup(text).links
    if "css" in content_type:
        return style_links(text)
    return module_links(text) if is_module else []


def load(client: httpx.Client, start: str, *, later: bool = True) -> dict[str, int]:
    """Fetch a page and all that it leads to; return the size of each in bytes, uncompressed.

    Fails if anything is on another host or is not there. `later=False` leaves out what only
    import() asks for.
    """
    sizes: dict[str, int] = {}
    waiting = [Link(urljoin(str(client.base_url), start))]
    while waiting:
        link = waiting.pop()
        if link.address in sizes:
            continue
        assert urlsplit(link.address).netloc == client.base_url.netloc.decode(), (
            f"{link} is on another host"
        )
        answer = client.get(link.address)
        assert answer.status_code == 200, f"{link}: {answer.status_code}"
        sizes[link.address] = len(answer.content)
        found = links(answer.headers["content-type"], answer.text, link.is_module)
        wanted = [one for one in found if later or not one.is_later]
        waiting += [Link(urljoin(link.address, one.address), one.is_module) for one in wanted]
    return sizes
