"""What is wrong is refused clearly, whatever it is: a status that says so and `{"error": …}`; the server never breaks."""

import json
import select
import socket

import pytest
from mastodon import Mastodon

from clients.mastodon_client import HTTP, call, ids, judge

WRONG_IDS = ["banana", "-1", "0", "1", "99999999999999999999", "1.5", "%00", "%F0%9F%98%80", "1%2F2", "' OR 1=1", "x" * 3_000]
BY_ID = [
    "GET /api/v1/statuses/{}",
    "GET /api/v1/statuses/{}/context",
    "GET /api/v1/statuses/{}/history",
    "GET /api/v1/statuses/{}/source",
    "PUT /api/v1/statuses/{}",
    "DELETE /api/v1/statuses/{}",
    "POST /api/v1/statuses/{}/favourite",
    "POST /api/v1/statuses/{}/reblog",
    "POST /api/v1/statuses/{}/bookmark",
    "POST /api/v1/statuses/{}/pin",
    "POST /api/v1/statuses/{}/mute",
    "GET /api/v1/accounts/{}",
    "GET /api/v1/accounts/{}/statuses",
    "GET /api/v1/accounts/{}/followers",
    "POST /api/v1/accounts/{}/follow",
    "POST /api/v1/accounts/{}/block",
    "POST /api/v1/accounts/{}/mute",
    "POST /api/v1/accounts/{}/note",
    "GET /api/v1/polls/{}",
    "POST /api/v1/polls/{}/votes",
    "GET /api/v1/lists/{}",
    "GET /api/v1/lists/{}/accounts",
    "GET /api/v1/timelines/list/{}",
    "DELETE /api/v1/lists/{}",
    "GET /api/v1/notifications/{}",
    "GET /api/v2/filters/{}",
    "GET /api/v1/filters/{}",
    "DELETE /api/v2/filters/keywords/{}",
    "GET /api/v1/scheduled_statuses/{}",
    "POST /api/v1/conversations/{}/read",
    "DELETE /api/v1/featured_tags/{}",
    "POST /api/v1/follow_requests/{}/authorize",
    "GET /api/v1/media/{}",
]


@pytest.fixture(scope="module")
def somebody(people) -> Mastodon:
    """Somebody for the whole file."""
    return people.join("somebody")


@pytest.fixture(scope="module")
def other(people) -> Mastodon:
    """Somebody else."""
    return people.join("other")


@pytest.mark.parametrize("route", BY_ID)
def test_ids_that_name_nothing(somebody, route):
    method, path = route.split()
    body = {"status": "x", "comment": "x", "choices": [0]} if method != "GET" else None
    for wrong in WRONG_IDS:
        answer = call(somebody, method, path.format(wrong), json=body)
        assert answer.status_code in (400, 404, 414, 422), f"{wrong}: {answer.status_code} {answer.text}"


@pytest.mark.parametrize("route", BY_ID)
def test_ids_of_other_things(somebody, other, route):
    """The id of a thing of another kind, or of somebody else, is no way in."""
    method, path = route.split()
    secret = other.status_post("secret", visibility="direct")
    wrong = other.list_create("a list").id if "statuses" in path or "accounts/{}" in path else secret.id
    answer = call(somebody, method, path.format(wrong), json={"status": "x", "choices": [0]} if method != "GET" else None)
    assert answer.status_code in (404, 422) and "secret" not in answer.text, answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/timelines/public",
        "/api/v1/timelines/home",
        "/api/v1/timelines/tag/x",
        "/api/v1/accounts/{me}/statuses",
        "/api/v1/accounts/{me}/followers",
        "/api/v1/notifications",
        "/api/v2/notifications",
        "/api/v1/conversations",
        "/api/v1/favourites",
        "/api/v1/bookmarks",
        "/api/v1/blocks",
        "/api/v1/followed_tags",
        "/api/v1/directory",
        "/api/v1/trends/tags",
        "/api/v2/search",
        "/api/v1/accounts/search",
        "/api/v1/scheduled_statuses",
    ],
)
def test_strange_pages(somebody, path):
    values = ["banana", "-1", "0", "18446744073709551615", "99999999999999999999999", "", "1e9", "💥"]
    for name in ["max_id", "since_id", "min_id", "limit", "offset"]:
        for value in values:
            answer = call(somebody, "GET", path.format(me=somebody.me_id), params={name: value, "q": "x"})
            assert answer.status_code in (200, 400, 404, 422), f"{name}={value}: {answer.text}"
            for link in answer.headers.get("link", "").split(","):
                assert "\n" not in link
    both = {"max_id": "5", "min_id": "9", "since_id": "7", "q": "x"}
    assert call(somebody, "GET", path.format(me=somebody.me_id), params=both).status_code == 200


def test_cursors_of_other_listings_end_somewhere(somebody):
    post = somebody.status_post("one")
    made = somebody.list_create("a list")
    for path in ["/api/v1/timelines/home", "/api/v1/notifications", "/api/v1/favourites", "/api/v1/followed_tags"]:
        for cursor in [post.id, made.id, somebody.me_id]:
            assert call(somebody, "GET", path, params={"max_id": str(cursor)}).status_code == 200


@pytest.mark.parametrize(
    "asked, status",
    [
        ({}, 422),
        ({"status": ""}, 422),
        ({"status": " \n\t "}, 422),
        ({"status": "x" * 501}, 422),
        ({"status": "x" * 400_000}, 422),
        ({"status": "😀" * 501}, 422),
        ({"status": "x", "spoiler_text": "y" * 500}, 422),
        ({"status": "x", "visibility": "everybody"}, 422),
        ({"status": "x", "in_reply_to_id": "banana"}, 404),
        ({"status": "x", "in_reply_to_id": "1"}, 404),
        ({"status": "x", "media_ids": ["1"]}, (404, 422)),
        ({"status": "x", "media_ids": [str(n) for n in range(10)]}, 422),
        ({"status": "x", "scheduled_at": "yesterday"}, 422),
        ({"status": "x", "scheduled_at": "2001-01-01T00:00:00Z"}, 422),
        ({"status": "x", "scheduled_at": "9999-12-31T23:59:59Z"}, 422),
    ],
)
def test_what_is_no_post(somebody, asked, status):
    answer = call(somebody, "POST", "/api/v1/statuses", json=asked)
    assert answer.status_code in (status if isinstance(status, tuple) else (status,)), answer.text


@pytest.mark.parametrize(
    "asked",
    [
        {"status": ["a", "b"]},
        {"status": {"a": {"b": {"c": "d"}}}},
        {"status": "x", "poll": "banana"},
        {"status": "x", "poll": []},
        {"status": "x", "poll": {"options": {"0": "a", "1": "b"}, "expires_in": "3600"}},
        {"status": "x", "media_ids": "banana"},
        {"status": "x", "media_ids": {"a": 1}},
        {"status": "x", "language": "klingon-or-something"},
        {"status": "x", "language": 5},
        {"status": "x", "sensitive": "perhaps"},
        {"status": "x", "in_reply_to_id": None, "poll": None, "media_ids": None, "scheduled_at": None},
        {"status": None},
        {"status": 5},
        {"status": True},
    ],
)
def test_parameters_of_other_types(somebody, asked):
    assert call(somebody, "POST", "/api/v1/statuses", json=asked).status_code in (200, 400, 404, 422)


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        '<img src=x onerror="alert(1)">',
        "<a href='javascript:alert(1)'>x</a>",
        '"><svg/onload=alert(1)>',
        'https://example.org/"onmouseover="alert(1)',
        "https://example.org/<script>alert(1)</script>",
        "javascript:alert(1)",
        "#<b>tag</b> @<i>name</i>",
        "&lt;script&gt; &amp; &#60;script&#62;",
        "\u202eright to left\u202c \u0000 \u200b",
        "a\r\nb\n\n\n\nc",
    ],
)
def test_markup_is_text(somebody, text):
    post = somebody.status_post(text, spoiler_text="")
    shown = post.content.lower()
    for word in ["<script", "<img", "<svg", "<b>", "<i>", "href='", 'href="javascript', '"onmouseover', "\x00"]:
        assert word not in shown, post.content
    for tag in ["p", "a", "span", "br"]:
        shown = shown.replace(f"</{tag}>", "").replace(f"<{tag}>", "").replace(f"<{tag} ", "").replace(f"<{tag}/>", "")
    assert "<" not in shown, post.content
    assert somebody.status_source(post.id).text.replace("\x00", "") == text.replace("\x00", ""), "the source is as it was written"


def test_floods(somebody):
    for text in [
        "😀" * 500,
        "👨‍👩‍👧‍👦" * 60,
        "e\u0301\u0302\u0303" * 100,
        "#" * 500,
        "@" * 500,
        "#a" * 200,
        "@a " * 160,
        "#a " * 160,
        ":x:" * 160,
        "http://" * 70,
        "https://example.org/" + "a" * 2_000,
        "(" * 250 + ")" * 250,
        "a@b." * 120,
    ]:
        answer = call(somebody, "POST", "/api/v1/statuses", json={"status": text})
        assert answer.status_code in (200, 422), answer.text
        if answer.status_code == 200:
            assert len(answer.text) < 200_000


def test_deep_and_wide_parameters(somebody):
    deep = "a" + "[b]" * 1_000
    wide = "&".join(f"media_ids[]={n}" for n in range(5_000))
    strange = ["[=1", "a[=1", "a]=1", "[]=1", "a=1&a[b]=2&a[]=3", "a[b&a[b]c=1", "%", "%ff=%fe", "=", "&&&&", deep + "=1"]
    for query in strange:
        assert call(somebody, "GET", f"/api/v1/timelines/public?{query}").status_code in (200, 400), query[:50]
        answer = call(somebody, "POST", "/api/v1/statuses", content=query.encode(), headers={"content-type": "application/x-www-form-urlencoded"})
        assert answer.status_code in (400, 422)
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert call(somebody, "POST", "/api/v1/statuses", content=b"status=x&" + wide.encode(), headers=form).status_code in (400, 422)
    nested = '{"status":' + "[" * 100_000 + "]" * 100_000 + "}"
    answer = call(somebody, "POST", "/api/v1/statuses", content=nested.encode(), headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)


@pytest.mark.parametrize(
    "kind, body",
    [
        ("application/json", b""),
        ("application/json", b"{"),
        ("application/json", b"[1,2]"),
        ("application/json", b'"text"'),
        ("application/json", b"\xff\xfe"),
        ("application/json", b'{"status":"\\ud800"}'),
        ("multipart/form-data", b"no boundary"),
        ("multipart/form-data; boundary=x", b"--x\r\nbroken"),
        ("text/plain", b"status"),
        ("application/octet-stream", b"\x00\x01\x02"),
        ("image/png", b"\x89PNG"),
        ("", b"something"),
    ],
)
def test_bodies_of_other_kinds(somebody, kind, body):
    answer = call(somebody, "POST", "/api/v1/statuses", content=body, headers={"content-type": kind})
    assert answer.status_code in (400, 413, 415, 422), answer.text


def test_a_body_without_end_is_refused(somebody):
    answer = call(somebody, "POST", "/api/v1/statuses", content=b"status=" + b"x" * 3_000_000, headers={"content-type": "application/x-www-form-urlencoded"})
    assert answer.status_code == 413, answer.text


def test_an_early_answer_says_what_becomes_of_the_connection(feed, somebody):
    """An answer that does not wait for the body either ends the connection and says so, or the next request is served."""
    head = f"Host: 127.0.0.1\r\nAuthorization: Bearer {somebody.access_token}\r\n"
    with socket.create_connection(("127.0.0.1", feed.ports.http), timeout=10) as wire:
        wire.sendall(f"POST /api/v1/accounts/banana/block HTTP/1.1\r\n{head}Content-Length: 8\r\n\r\n".encode())
        # A body that comes a little after its head, as most clients send it.
        early, _, _ = select.select([wire], [], [], 1)
        first = wire.recv(65_536) if early else b""
        if b"connection: close" in first.lower():
            return
        wire.sendall(b"status=x" + f"GET /api/v1/instance/rules HTTP/1.1\r\n{head}Connection: close\r\n\r\n".encode())
        rest = b""
        while chunk := wire.recv(65_536):
            rest += chunk
    assert b"HTTP/1.1 404" in first + rest and b"HTTP/1.1 200" in rest, first + rest


def test_methods_that_are_not_there(somebody):
    for method, path in [("PATCH", "/api/v1/statuses/1"), ("DELETE", "/api/v1/timelines/home"), ("PUT", "/api/v1/accounts/1")]:
        assert call(somebody, method, path).status_code in (404, 405)


def test_routes_that_are_not_there_say_so_in_mastodons_form(somebody):
    for path in ["/api/v1/nothing", "/api/v9/statuses", "/api/v1/statuses/1/nothing", "/api"]:
        assert call(somebody, "GET", path).status_code == 404


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer x y", "Basic eDp5", "bearer x", "Bearer ü", "Bearer " + "x" * 5_000])
def test_strange_tokens(people, header):
    answer = HTTP.get(f"{people.url}/api/v1/timelines/home", headers={"authorization": header.encode("latin-1")})
    assert answer.status_code in (400, 401), answer.text
    judge(answer)


def test_tags_and_names_of_every_kind(somebody):
    for name in ["%23", "a%20b", "%00", "%2e%2e", "ä", "日本語", "1", "x" * 1_000, "%F0%9F%98%80", "a-b", "%3Cscript%3E"]:
        for route in ["GET /api/v1/timelines/tag/{}", "GET /api/v1/tags/{}", "POST /api/v1/tags/{}/follow", "GET /api/v1/accounts/lookup?acct={}"]:
            method, path = route.split()
            answer = call(somebody, method, path.format(name))
            assert answer.status_code in (200, 404, 422), f"{route} {name[:30]}: {answer.text}"
    for query in ["", " ", '"', '"""', "(((", "from:", "from:@", "before:banana", "has:", "-", "- - -", "*", "\x00", "x" * 5_000, "a " * 2_000]:
        assert call(somebody, "GET", "/api/v2/search", params={"q": query}).status_code in (200, 400, 414, 422), query[:30]
        assert call(somebody, "GET", "/api/v1/accounts/search", params={"q": query}).status_code in (200, 400, 414, 422), query[:30]


def test_many_of_everything_is_bounded(somebody):
    answer = None
    for n in range(200):
        answer = call(somebody, "POST", "/api/v1/lists", json={"title": f"list {n}"})
        if answer.status_code != 200:
            break
    assert answer.status_code == 422, "lists have a bound"
    words = [{"keyword": f"word {n}"} for n in range(5_000)]
    assert call(somebody, "POST", "/api/v2/filters", json={"title": "x", "context": ["home"], "keywords_attributes": words}).status_code in (413, 422)


def test_after_all_of_it_the_server_serves(somebody, nobody):
    post = somebody.status_post("still here")
    assert post.id in ids(nobody.account_statuses(somebody.me_id)) and json.loads(call(nobody, "GET", "/api/v2/instance").text)
