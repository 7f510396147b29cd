"""What the feed's server shows to everybody: announcements, custom emoji, trending links; and domains and suggestions."""

import io
import struct
import zlib

import pytest

from clients.mastodon_client import HTTP, call, eventually, follow, ids, refused


def png(width: int = 16, height: int = 16) -> bytes:
    """A picture."""
    rows = b"".join(b"\0" + bytes([x * 9 % 256, 40, 200, 255])[:4] * width for x in range(height))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def announce(admin, text: str, **keys) -> dict:
    """An announcement."""
    answer = call(admin, "POST", "/api/v1/admin/announcements", data={"text": text} | keys)
    assert answer.status_code == 200, answer.text
    return answer.json()


def emoji(admin, shortcode: str, **keys) -> dict:
    """A custom emoji."""
    files = {"image": ("emoji.png", io.BytesIO(png()), "image/png")}
    answer = call(admin, "POST", "/api/v1/admin/custom_emojis", data={"shortcode": shortcode} | keys, files=files)
    assert answer.status_code == 200, answer.text
    return answer.json()


def own(client, id: str, **keys):
    """An announcement as somebody sees it, if they do."""
    answer = call(client, "GET", "/api/v1/announcements", params=keys).json()
    return next((one for one in answer if one["id"] == id), None)


def test_announcements_are_read_and_dismissed(admin, alice, bob, nobody):
    made = announce(admin, f"Hello @{alice.name} #news https://example.org/x")
    shown = next(one for one in alice.announcements() if one.id == made["id"])
    assert set(shown) >= set("id content starts_at ends_at all_day published_at updated_at read mentions statuses tags emojis reactions".split())
    assert shown.read is False and shown.mentions[0].acct == alice.name and shown.tags[0]["name"] == "news"
    assert 'href="https://example.org/x"' in shown.content
    alice.announcement_dismiss(made["id"])
    assert own(alice, made["id"]) is None and own(alice, made["id"], with_dismissed=True)["read"] is True
    assert own(bob, made["id"])["read"] is False
    changed = call(admin, "PUT", f"/api/v1/admin/announcements/{made['id']}", data={"text": "Bye"}).json()
    assert "Bye" in changed["content"] and changed["published_at"] == made["published_at"]
    call(admin, "DELETE", f"/api/v1/admin/announcements/{made['id']}")
    assert own(bob, made["id"]) is None
    with refused(404):
        bob.announcement_dismiss(made["id"])
    assert call(nobody, "GET", "/api/v1/announcements").status_code == 401


def test_an_announcement_ends_and_bad_ones_are_refused(admin, alice):
    over = announce(admin, "over", ends_at="2020-01-02T00:00:00Z", starts_at="2020-01-01T00:00:00Z", all_day="true")
    assert over["all_day"] is True and own(alice, over["id"]) is None
    for bad in [{}, {"text": "x" * 5001}, {"text": "x", "starts_at": "soon"}, {"text": "x", "starts_at": "2021-01-01T00:00:00Z", "ends_at": "2020-01-01T00:00:00Z"}]:
        answer = call(admin, "POST", "/api/v1/admin/announcements", data=bad)
        assert answer.status_code == 422, bad


def test_reactions_are_counted(admin, alice, bob):
    made = announce(admin, "react!")["id"]
    known = emoji(admin, "party" + alice.name)["shortcode"]
    alice.announcement_reaction_create(made, "🤔")
    alice.announcement_reaction_create(made, "🤔")
    bob.announcement_reaction_create(made, "🤔")
    bob.announcement_reaction_create(made, known)
    first, second = own(alice, made)["reactions"]
    assert first == {"name": "🤔", "count": 2, "me": True}
    assert (second["name"], second["count"], second["me"]) == (known, 1, False) and second["url"].startswith("http") and second["static_url"]
    bob.announcement_reaction_delete(made, "🤔")
    alice.announcement_reaction_delete(made, "🤔")
    assert [one["name"] for one in own(alice, made)["reactions"]] == [known]
    with refused(404):
        alice.announcement_reaction_delete(made, "🤔")
    with refused(422, said="not a recognized emoji"):
        alice.announcement_reaction_create(made, "banana")
    for one in "😀😁😂😃😄😅😆":
        alice.announcement_reaction_create(made, one)
    with refused(422, said="Limit of different reactions"):
        bob.announcement_reaction_create(made, "🙈")
    with refused(404):
        bob.announcement_reaction_create("7", "🤔")


def test_announcements_are_streamed(people, admin, alice, bob):
    headers = {"authorization": f"Bearer {alice.access_token}"}
    with HTTP.stream("GET", f"{people.url}/api/v1/streaming/user", headers=headers) as stream:
        lines = (line for line in stream.iter_lines() if line)

        def event(*kinds: str) -> tuple[str, str]:
            for line in lines:
                kind = line.removeprefix("event:").strip()
                if line.startswith("event:") and kind in kinds:
                    return kind, next(lines).removeprefix("data:").strip()
            raise AssertionError("the stream ended")

        bob.status_post(f"@{alice.name}")
        assert event("notification")[0] == "notification", "it is open"
        made = announce(admin, "streamed")["id"]
        bob.announcement_reaction_create(made, "🤔")
        call(admin, "DELETE", f"/api/v1/admin/announcements/{made}")
        kind, payload = event("announcement")
        assert f'"id":"{made}"' in payload and '"read"' not in payload
        kind, payload = event("announcement.reaction")
        assert f'"announcement_id":"{made}"' in payload and '"count":1' in payload
        assert event("announcement.delete") == ("announcement.delete", made)


def test_custom_emoji_are_shown_where_they_are_named(admin, alice, bob, nobody):
    code = "blob_" + alice.name
    made = emoji(admin, code, category="blobs")
    assert made["visible_in_picker"] is True and made["category"] == "blobs"
    assert HTTP.get(made["url"]).headers["content-type"].startswith("image/") and HTTP.get(made["static_url"]).status_code == 200
    hidden = emoji(admin, "hidden" + alice.name, visible_in_picker="false")["shortcode"]
    codes = {one.shortcode for one in nobody.custom_emojis()}
    assert code in codes and hidden not in codes
    post = alice.status_post(f"hi :{code}: and :none:", spoiler_text=f":{hidden}:", poll=alice.make_poll([f":{code}:", "b"], 3600))
    assert {one.shortcode for one in bob.status(post.id).emojis} == {code, hidden}
    assert [one.shortcode for one in bob.status(post.id).poll.emojis] == [code]
    assert bob.status_post(f"x:{code}:y").emojis == []
    alice.account_update_credentials(display_name=f"A :{code}:")
    assert [one.shortcode for one in bob.account(alice.me_id).emojis] == [code]
    assert call(admin, "POST", "/api/v1/admin/custom_emojis", data={"shortcode": "a b"}).status_code == 422
    assert call(admin, "DELETE", f"/api/v1/admin/custom_emojis/{code}").status_code == 200
    assert bob.account(alice.me_id).emojis == [] and code not in {one.shortcode for one in nobody.custom_emojis()}
    assert call(admin, "DELETE", f"/api/v1/admin/custom_emojis/{code}").status_code == 404


def test_emoji_and_announcements_outlive_a_restart(feed, admin, alice):
    made, code = announce(admin, "kept")["id"], emoji(admin, "kept" + alice.name)["shortcode"]
    alice.announcement_reaction_create(made, code)
    feed.restart()
    assert own(alice, made)["reactions"][0]["me"] is True and alice.status_post(f":{code}:").emojis[0].shortcode == code


def test_domains_are_blocked_listed_and_allowed_again(alice, bob):
    for domain in ["One.example", "two.example", "drei.example"]:
        alice.domain_block(domain)
    alice.domain_block("two.example")
    assert alice.domain_blocks() == ["drei.example", "two.example", "one.example"] and bob.domain_blocks() == []
    page = call(alice, "GET", "/api/v1/domain_blocks?limit=2")
    assert page.json() == ["drei.example", "two.example"] and "max_id" in page.headers["link"]
    assert HTTP.get(page.links["next"]["url"], headers={"authorization": f"Bearer {alice.access_token}"}).json() == ["one.example"]
    alice.domain_unblock("two.example")
    alice.domain_unblock("never.example")
    assert alice.domain_blocks() == ["drei.example", "one.example"]
    for bad in ["", "no domain", "nodots", "a..b", "-x.example", "x" * 64 + ".example"]:
        with refused(422, said="Domain"):
            alice.domain_block(bad)
    assert call(alice, "GET", "/api/v1/domain_blocks/preview?domain=one.example").json() == {"following_count": 0, "followers_count": 0}
    assert call(alice, "GET", "/api/v1/instance/domain_blocks").json() == []


def test_friends_of_friends_are_suggested_and_nobody_else(people, admin, alice):
    friends = [people.join("friend") for _ in range(3)]
    names = "liked most secret blocked muted known limited gone single".split()
    liked = {name: people.join(name) for name in names}
    for name, client in liked.items():
        client.account_update_credentials(discoverable=name != "secret")
    follow(*[(alice, friend) for friend in friends])
    follow(*[(friends[0], other) for other in liked.values()], *[(friends[1], liked[name]) for name in names if name != "single"])
    follow((friends[2], liked["most"]), (alice, liked["known"]))
    friends[0].account_update_credentials(discoverable=True)
    alice.account_block(liked["blocked"].me_id)
    alice.account_mute(liked["muted"].me_id)
    admin.admin_account_moderate(liked["limited"].me_id, action="silence")
    found = call(alice, "GET", "/api/v2/suggestions").json()
    assert [one["account"]["id"] for one in found] == [liked["most"].me_id, liked["liked"].me_id, liked["gone"].me_id]
    assert all(one["source"] == "past_interactions" and one["sources"] == ["friends_of_friends"] for one in found)
    assert [one["id"] for one in call(alice, "GET", "/api/v1/suggestions?limit=1").json()] == [liked["most"].me_id]
    alice.suggestion_delete(liked["gone"].me_id) if hasattr(alice, "suggestion_delete") else alice.account_unfollow(liked["gone"].me_id)
    call(alice, "DELETE", f"/api/v1/suggestions/{liked['gone'].me_id}")
    assert [one["account"]["id"] for one in call(alice, "GET", "/api/v2/suggestions").json()] == [liked["most"].me_id, liked["liked"].me_id]


def test_a_clique_of_new_accounts_makes_nobody_popular(people, alice):
    star = people.join("star")
    star.account_update_credentials(discoverable=True)
    star.status_post("look at me")
    follow(*[(people.join("clique"), star) for _ in range(8)])
    found = call(alice, "GET", "/api/v2/suggestions").json()
    assert star.me_id not in [one["account"]["id"] for one in found]


def test_links_that_do_not_trend_have_no_timeline(people, alice, nobody):
    url = f"https://example.org/{alice.name}"
    for _ in range(6):
        people.join("author").status_post(f"read {url}")
    assert nobody.trending_links() == [], "new accounts make no trend"
    assert call(nobody, "GET", "/api/v1/timelines/link", params={"url": url}).status_code == 404
    assert call(nobody, "GET", "/api/v1/timelines/link").status_code == 404
