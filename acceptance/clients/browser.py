"""A person with a browser: keeps cookies, reads forms, fills them in. It runs no script, and the pages need
none but for passkeys."""

from html.parser import HTMLParser
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx


class _Form(HTMLParser):
    """The first form of a page: where it goes and what it carries."""

    def __init__(self) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes the form and its hidden fields."""
        found = dict(attrs)
        if tag == "form":
            self.action = found["action"]
        elif tag == "input" and found.get("type") == "hidden":
            self.fields[found["name"]] = found.get("value") or ""


class Browser:
    """A browser that follows redirects only within the server."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.http = httpx.Client(follow_redirects=False)
        self.page: httpx.Response | None = None

    def open(self, url: str) -> httpx.Response:
        """Opens a page of the server and follows it there; a redirect to elsewhere is the last answer."""
        return self._follow(self.http.get(urljoin(self.base, url)))

    def _follow(self, response: httpx.Response) -> httpx.Response:
        while response.is_redirect and urljoin(self.base, response.headers["location"]).startswith(self.base):
            response = self.http.get(urljoin(self.base, response.headers["location"]))
        self.page = response
        return response

    def submit(self, **fields: str) -> httpx.Response:
        """Sends the page's form with these fields filled in."""
        form = _Form()
        form.feed(self.page.text)
        assert form.action, f"no form on this page: {self.page.text}"
        return self._follow(self.http.post(urljoin(self.base, form.action), data=form.fields | fields))

    def sent(self) -> dict[str, str]:
        """The parameters of the redirect that left the server."""
        assert self.page.is_redirect, self.page.text
        return {name: values[0] for name, values in parse_qs(urlsplit(self.page.headers["location"]).query).items()}
