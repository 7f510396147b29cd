"""Who one is on the feed: apps, sign-up, the ways to sign in, what a token may do, profiles, and finding people."""

import httpx
import pytest
from mastodon import Mastodon, MastodonIllegalArgumentError

from clients.mastodon_client import SCOPES, call, eventually, follow, ids, refused
from decalog_server import PASSWORD, SECRETS

OOB = "urn:ietf:wg:oauth:2.0:oob"


def register(people, **keys) -> httpx.Response:
    return call(people.nobody(), "POST", "/api/v1/apps", **keys)


@pytest.mark.parametrize("how", ["json", "data"])
def test_an_app_registers_itself_in_either_form(people, how):
    uris = ["https://app.example/back", "app.example:/back", OOB]
    asked = {"client_name": "Either", "scopes": "read write:statuses", "website": "https://app.example"}
    asked |= {"redirect_uris": uris} if how == "json" else {"redirect_uris": "\n".join(uris)}
    made = register(people, **{how: asked}).json()
    SECRETS.add(made["client_secret"])
    assert (made["name"], made["website"]) == ("Either", "https://app.example")
    assert sorted(made["redirect_uris"]) == sorted(uris) and set(made["redirect_uri"].split("\n")) == set(uris)
    assert set(made["scopes"]) == {"read", "write:statuses"} and made["client_secret_expires_at"] == 0
    asked = {"grant_type": "client_credentials", "client_id": made["client_id"], "client_secret": made["client_secret"]}
    token = httpx.post(f"{people.url}/oauth/token", **{how: asked | {"scope": "read", "redirect_uri": OOB}}).json()
    SECRETS.add(token["access_token"])
    assert token["token_type"] == "Bearer" and token["scope"] == "read" and token["created_at"] > 1_700_000_000
    app = Mastodon(access_token=token["access_token"], api_base_url=people.url)
    assert app.app_verify_credentials().name == "Either"
    with refused(401, 403, 422):
        app.timeline_home()


@pytest.mark.parametrize(
    "asked",
    [
        {"redirect_uris": OOB},
        {"client_name": "", "redirect_uris": OOB},
        {"client_name": "x", "redirect_uris": "javascript:alert(1)"},
        {"client_name": "x", "redirect_uris": "not a uri"},
        {"client_name": "x", "redirect_uris": OOB, "scopes": "read everything"},
    ],
)
def test_what_is_no_app_is_refused(people, asked):
    assert register(people, data=asked).status_code == 422


@pytest.mark.parametrize(
    "changed",
    [
        {"agreement": "false"},
        {"username": ""},
        {"username": "no spaces"},
        {"username": "<b>"},
        {"username": "x" * 300},
        {"password": "short"},
        {"password": ""},
        {"email": "nonsense"},
    ],
)
def test_a_sign_up_that_cannot_be_is_refused(people, changed):
    asked = {"grant_type": "client_credentials", "client_id": people.app[0], "client_secret": people.app[1]}
    app = httpx.post(f"{people.url}/oauth/token", data=asked | {"scope": "read write"}).json()["access_token"]
    SECRETS.add(app)
    asked = {"username": "fine", "email": "fine@example.org", "password": PASSWORD, "agreement": "true", "locale": "en"}
    client = Mastodon(access_token=app, api_base_url=people.url)
    answer = call(client, "POST", "/api/v1/accounts", data=asked | changed)
    assert answer.status_code == 422, answer.text


def test_a_name_is_taken_once_however_it_is_written(people, alice):
    again = [
        (alice.name, "other@example.org"),
        (alice.name.upper(), "other@example.org"),
        ("other" + alice.name, f"{alice.name}@example.org"),
    ]
    for name, mail in again:
        with pytest.raises(MastodonIllegalArgumentError, match="Validation failed"):
            people.nobody().create_account(name, PASSWORD, mail, agreement=True, scopes=SCOPES)


def test_signing_in_by_password(people, alice):
    for name in [alice.name, f"{alice.name}@example.org", alice.name.upper()]:
        client = people.nobody()
        SECRETS.add(client.log_in(name, PASSWORD, scopes=SCOPES, allow_http=True))
        assert client.me().id == alice.me_id
    with pytest.raises(MastodonIllegalArgumentError):
        people.nobody().log_in(alice.name, "a wrong one", scopes=SCOPES, allow_http=True)
    client.revoke_access_token(allow_http=True)
    assert alice.me().id == alice.me_id, "the other sessions go on"


def test_signing_in_through_the_pages_and_ending_it(people, alice):
    client = people.let_in(alice.name, ["read"])
    assert client.me().id == alice.me_id
    with refused(403):
        client.status_post("more than was allowed")
    token = client.access_token
    client.revoke_access_token(allow_http=True)
    with refused(401):
        Mastodon(access_token=token, api_base_url=people.url).me()


def test_a_code_counts_once(people, alice):
    client = people.nobody()
    with pytest.raises(MastodonIllegalArgumentError):
        client.log_in(code="nonsense", scopes=["read"], allow_http=True)


@pytest.mark.parametrize(
    "scopes, allowed, forbidden",
    [
        (["read:accounts"], "GET /api/v1/accounts/verify_credentials", "GET /api/v1/timelines/home"),
        (["read:statuses"], "GET /api/v1/timelines/home", "GET /api/v1/notifications"),
        (["read:notifications"], "GET /api/v1/notifications", "POST /api/v1/notifications/clear"),
        (["write:statuses"], "POST /api/v1/statuses", "GET /api/v1/timelines/home"),
        (["follow"], "GET /api/v1/blocks", "GET /api/v1/bookmarks"),
        (["read"], "GET /api/v1/bookmarks", "POST /api/v1/statuses"),
        (["read:lists"], "GET /api/v1/lists", "POST /api/v1/lists"),
        (["read:filters"], "GET /api/v2/filters", "POST /api/v2/filters"),
        (["profile"], "GET /api/v1/accounts/verify_credentials", "GET /api/v1/timelines/home"),
    ],
)
def test_a_token_may_what_its_scopes_say(people, alice, scopes, allowed, forbidden):
    client = people.with_scopes(alice.name, scopes)
    assert call(client, *allowed.split(), json={"status": "x"} if "POST" in allowed else None).status_code == 200
    answer = call(client, *forbidden.split())
    assert answer.status_code == 403 and "scope" in answer.json()["error"], answer.text


def test_a_token_reads_no_private_posts_by_a_scope_for_something_else(people, alice):
    secret = alice.status_post("for few", visibility="private")
    client = people.with_scopes(alice.name, ["write:media"])
    for path in ["", "/context", "/history"]:
        assert call(client, "GET", f"/api/v1/statuses/{secret.id}{path}").status_code in (403, 404), path
    answer = call(client, "GET", f"/api/v1/accounts/{alice.me_id}/statuses")
    assert answer.status_code == 403 or answer.json() == []
    assert call(client, "GET", "/api/v2/search", params={"q": secret.url, "resolve": "true"}).json().get("statuses", []) == []


def test_a_token_that_is_none_is_refused(people):
    nonsense = Mastodon(access_token="nonsense", api_base_url=people.url)
    for path in ["/api/v1/accounts/verify_credentials", "/api/v1/timelines/home", "/api/v1/lists"]:
        assert call(nonsense, "GET", path).status_code == 401, path


def test_the_server_says_what_it_is(nobody, people):
    one, two = nobody.instance_v1(), nobody.instance_v2()
    assert one.version == two.version and one.version.startswith("4.5.0")
    assert one.registrations is True and two.registrations.enabled is True and two.api_versions.mastodon >= 1
    assert one.uri == two.domain == people.url.partition("://")[2]
    assert two.configuration.statuses.max_characters == 500 and two.configuration.polls.max_options == 4
    assert one.configuration.statuses.max_media_attachments == 4 and one.urls.streaming_api.startswith("ws")
    assert [rule.text for rule in nobody.instance_rules()] == ["Be kind."]
    info = nobody.instance_nodeinfo()
    assert info.software.name == "decalog" and info.version == "2.0" and info.openRegistrations is True
    assert nobody.instance_peers() == [] and nobody.instance_activity() == []
    assert nobody.custom_emojis() == []


def test_the_server_counts_people_and_posts(nobody, people, alice):
    def counted() -> tuple[int, int, int, int]:
        first, second = nobody.instance_v1().stats, nobody.instance_v2().usage.users
        usage = nobody.instance_nodeinfo().usage
        assert (usage.users.total, usage.localPosts) == (first.user_count, first.status_count)
        assert usage.users.activeMonth == second.active_month
        return first.user_count, first.status_count, second.active_month, usage.users.activeHalfyear

    before = counted()
    assert before[0] >= before[2] >= 1
    bob = people.join("bob")
    post = bob.status_post("counted")
    bob.status_post("not counted", visibility="direct")
    assert counted() == tuple(one + 1 for one in before)
    bob.status_delete(post.id)
    assert counted()[1] == before[1]


def test_the_server_says_that_it_is_well(nobody):
    assert nobody.instance_health()


def test_webfinger_knows_who_is_here(nobody, people, alice):
    domain = people.url.partition("://")[2]
    found = call(nobody, "GET", "/.well-known/webfinger", params={"resource": f"acct:{alice.name}@{domain}"}).json()
    assert found["subject"] == f"acct:{alice.name}@{domain}" and found["links"]
    assert call(nobody, "GET", "/.well-known/webfinger", params={"resource": f"acct:nobody@{domain}"}).status_code == 404


def test_a_profile_is_what_was_set(alice, nobody):
    mine = alice.account_update_credentials(
        display_name="Alice <b>",
        note="I like #rust & <i>cats</i>",
        bot=True,
        locked=True,
        discoverable=True,
        fields=[("web", "https://example.org"), ("<script>", "<img src=x>")],
    )
    assert mine.source.note == "I like #rust & <i>cats</i>" and mine.source.fields[1].value == "<img src=x>"
    seen = nobody.account(alice.me_id)
    assert (seen.display_name, seen.bot, seen.locked, seen.discoverable) == ("Alice <b>", True, True, True)
    assert "&lt;i&gt;" in seen.note and "<i>" not in seen.note and "/tags/rust" in seen.note
    assert 'href="https://example.org"' in seen.fields[0].value and "<img" not in seen.fields[1].value
    raw = call(nobody, "GET", f"/api/v1/accounts/{alice.me_id}").json()
    assert "source" not in raw and "role" not in raw, "what is one's own"
    alice.account_update_credentials(note="", bot=False)
    seen = nobody.account(alice.me_id)
    assert (seen.note, seen.bot, seen.locked, len(seen.fields)) == ("", False, True, 2), "what is not said stays"


def test_defaults_for_posting(alice):
    asked = {"source": {"privacy": "private", "sensitive": True, "language": "de"}}
    mine = call(alice, "PATCH", "/api/v1/accounts/update_credentials", json=asked).json()
    assert (mine["source"]["privacy"], mine["source"]["sensitive"], mine["source"]["language"]) == ("private", True, "de")
    post = call(alice, "POST", "/api/v1/statuses", data={"status": "as always"}).json()
    assert (post["visibility"], post["sensitive"], post["language"]) == ("private", True, "de")
    told = alice.preferences()
    assert (told["posting:default:visibility"], told["posting:default:language"]) == ("private", "de")
    assert told["posting:default:sensitive"] is True and told["reading:expand:media"] == "default"


@pytest.mark.parametrize(
    "asked",
    [
        {"display_name": "x" * 31},
        {"note": "x" * 501},
        {"fields_attributes": [{"name": "x" * 256, "value": "y"}]},
        {"fields_attributes": [{"name": f"{n}", "value": "y"} for n in range(5)]},
        {"source": {"privacy": "nobody"}},
    ],
)
def test_a_profile_keeps_its_bounds(alice, asked):
    assert call(alice, "PATCH", "/api/v1/accounts/update_credentials", json=asked).status_code == 422


def test_fields_in_the_form_of_numbered_keys(alice):
    asked = {f"fields_attributes[{n}][{key}]": f"{key}{n}" for n in range(4) for key in ("name", "value")}
    mine = call(alice, "PATCH", "/api/v1/accounts/update_credentials", data=asked).json()
    assert [field["name"] for field in mine["source"]["fields"]] == ["name0", "name1", "name2", "name3"]


def test_people_are_found(people, alice, bob, nobody):
    domain = people.url.partition("://")[2]
    for name in [alice.name, alice.name.upper(), f"{alice.name}@{domain}", f"@{alice.name}"]:
        assert nobody.account_lookup(name).id == alice.me_id, name
    for name in ["nobody-at-all", f"{alice.name}@elsewhere.example", ""]:
        with refused(404):
            nobody.account_lookup(name)
    assert ids(bob.account_search(alice.name)) == [alice.me_id]
    assert ids(bob.account_search(alice.name[:-2])) == [alice.me_id]
    assert bob.account_search(alice.name, following=True) == []
    follow((bob, alice))
    assert ids(bob.account_search(alice.name, following=True)) == [alice.me_id]
    assert ids(bob.search_v2(f"{people.url}/@{alice.name}").accounts) == [alice.me_id]
    assert sorted(ids(nobody.accounts([alice.me_id, bob.me_id]))) == sorted([alice.me_id, bob.me_id])
    with refused(404):
        nobody.account("1")
    with refused(404):
        nobody.account("banana")


def test_search_goes_on_where_it_was(people):
    stem = people.join("zz").name
    more = [people.join(stem).me_id for _ in range(3)]
    seeker = people.join("seeker")
    first = seeker.account_search(stem, limit=2)
    rest = seeker.account_search(stem, limit=2, offset=2)
    assert len(first) == len(rest) == 2 and not {*ids(first)} & {*ids(rest)}, "an offset skips"
    assert set(more) < set(ids(first) + ids(rest))


def test_relationships_are_told_of_each(alice, bob, people):
    carol = people.join("carol")
    follow((alice, bob), (carol, alice))
    rows = {row.id: row for row in alice.account_relationships([bob.me_id, carol.me_id, "1"])}
    assert set(rows) == {bob.me_id, carol.me_id}
    assert (rows[bob.me_id].following, rows[bob.me_id].followed_by) == (True, False)
    assert (rows[carol.me_id].following, rows[carol.me_id].followed_by) == (False, True)
    assert alice.account_relationships(bob.me_id)[0].following
    assert call(alice, "GET", "/api/v1/accounts/relationships").json() == []


def test_who_else_follows_them(alice, bob, people):
    carol = people.join("carol")
    follow((alice, bob), (bob, carol))
    row = alice.account_familiar_followers(carol.me_id)[0]
    assert row.id == carol.me_id and ids(row.accounts) == [bob.me_id]


def test_who_hides_followers_hides_them_from_friends_of_friends(alice, bob, people):
    carol = people.join("carol")
    follow((alice, bob), (bob, carol))
    call(carol, "PATCH", "/api/v1/accounts/update_credentials", json={"hide_collections": True})
    assert all(row.accounts == [] for row in alice.account_familiar_followers(carol.me_id)), "who hides it, hides it"


def test_whom_one_follows_may_be_hidden(alice, bob, nobody):
    follow((alice, bob), (bob, alice))
    assert ids(nobody.account_followers(alice.me_id)) == ids(nobody.account_following(alice.me_id)) == [bob.me_id]
    call(alice, "PATCH", "/api/v1/accounts/update_credentials", json={"hide_collections": True})
    assert nobody.account_followers(alice.me_id) == [] and bob.account_following(alice.me_id) == []
    assert ids(alice.account_followers(alice.me_id)) == [bob.me_id], "one's own are seen"


def test_the_directory_shows_who_wants_to_be_found(people, bob, nobody):
    zoe = people.join("zoe")
    zoe.account_update_credentials(discoverable=True)
    bob.account_update_credentials(discoverable=False)
    zoe.status_post("here I am")
    newest = eventually("in the directory", lambda: nobody.directory(order="new", limit=5))
    assert zoe.me_id in ids(newest) and bob.me_id not in ids(nobody.directory(limit=80))
    assert ids(nobody.directory(order="active", limit=1)) == [zoe.me_id]
    assert zoe.me_id not in ids(nobody.directory(order="active", limit=5, offset=1))


def test_who_has_no_picture_has_one(nobody, alice):
    for url in [nobody.account(alice.me_id).avatar, nobody.account(alice.me_id).header_static]:
        answer = httpx.get(url)
        assert answer.status_code == 200 and answer.headers["content-type"] == "image/png"
