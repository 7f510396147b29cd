"""Quotes: who may quote what, how a quote is shown to whom, and how it ends."""

import pytest

from clients.mastodon_client import call, eventually, follow, ids
from clients.pictures import png


def post(client, text: str = "words", **keys) -> dict:
    answer = call(client, "POST", "/api/v1/statuses", json={"status": text} | keys)
    assert answer.status_code == 200, answer.text
    return answer.json()


def quote(client, quoted: dict, text: str = "look at this", **keys) -> dict:
    return post(client, text, quoted_status_id=quoted["id"], **keys)


def show(client, one: dict) -> dict:
    answer = call(client, "GET", f"/api/v1/statuses/{one['id']}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def approval(client, one: dict) -> tuple:
    shown = show(client, one)["quote_approval"]
    assert set(shown) == {"automatic", "manual", "current_user"} and shown["manual"] == []
    return shown["automatic"], shown["current_user"]


def test_a_quote_shows_what_it_quotes(alice, bob, nobody):
    quoted = post(alice, "the first words")
    assert quoted["quote"] is None and quoted["quotes_count"] == 0
    made = quote(bob, quoted)
    assert made["quote"]["state"] == "accepted" and made["quote"]["quoted_status"]["content"] == "<p>the first words</p>"
    inline, rest = made["content"].split("</p>", 1)
    assert inline.startswith('<p class="quote-inline">RE: <a href="') and quoted["url"] in inline
    assert rest == "<p>look at this</p>"
    assert quoted["url"] in quote(bob, quoted, f"see {quoted['url']}")["content"]
    assert "quote-inline" not in quote(bob, quoted, f"see {quoted['url']}")["content"]
    for reader in [alice, bob, nobody]:
        assert show(reader, made)["quote"]["quoted_status"]["id"] == quoted["id"]
    assert show(nobody, quoted)["quotes_count"] == 3
    told = alice.notifications(types=["quote"])
    assert len(told) == 3 and told[-1].status.id == made["id"] and told[0].account.id == bob.me_id
    # Within a quoted post, its own quote is only named.
    above = quote(alice, made)
    within = above["quote"]["quoted_status"]
    assert within["id"] == made["id"] and within["quote"] == {"state": "accepted", "quoted_status_id": quoted["id"]}
    # A reblog shows it in the post that it reblogs.
    shared = call(alice, "POST", f"/api/v1/statuses/{made['id']}/reblog").json()
    assert shared["reblog"]["quote"]["quoted_status"]["id"] == quoted["id"]
    assert post(bob, "", quoted_status_id=quoted["id"])["quote"]["state"] == "accepted", "a quote needs no words"


def test_quotes_are_listed(alice, bob, people, nobody):
    quoted, follower = post(alice), people.join("follower")
    follow((follower, bob))
    made = [quote(bob, quoted, str(number)) for number in range(4)]
    hidden = quote(bob, quoted, "for followers", visibility="private")
    path = f"/api/v1/statuses/{quoted['id']}/quotes"
    listed = lambda client, query="": [row["id"] for row in call(client, "GET", path + query).json()]
    assert listed(alice) == [row["id"] for row in made[::-1]]
    assert listed(follower) == [hidden["id"], *(row["id"] for row in made[::-1])]
    answer = call(bob, "GET", path + "?limit=2")
    assert len(answer.json()) == 2 and 'rel="next"' in answer.headers["link"]
    rest = answer.headers["link"].split("<")[1].split(">")[0].removeprefix(bob.api_base_url)
    assert [row["id"] for row in call(bob, "GET", rest).json()] == [made[2]["id"], made[1]["id"]]
    assert call(nobody, "GET", path).status_code == 401
    assert call(alice, "DELETE", f"/api/v1/statuses/{made[0]['id']}").status_code in (403, 404)
    bob.status_delete(made[0]["id"])
    eventually("counted", lambda: show(alice, quoted)["quotes_count"] == 4)
    assert made[0]["id"] not in listed(alice)


def test_a_quote_is_revoked_by_whose_words_it_shows_and_by_nobody_else(alice, bob, people):
    quoted = post(alice)
    made, kept = quote(bob, quoted), quote(bob, quoted)
    revoke = lambda client, one, of=quoted: call(client, "POST", f"/api/v1/statuses/{of['id']}/quotes/{one['id']}/revoke")
    assert revoke(bob, made).status_code == 403
    assert revoke(people.join("carol"), made).status_code == 403
    assert revoke(alice, post(bob)).status_code == 404
    answer = revoke(alice, made)
    assert answer.status_code == 200 and answer.json()["id"] == made["id"]
    assert answer.json()["quote"] == {"state": "revoked", "quoted_status": None}
    assert "quote-inline" not in answer.json()["content"]
    assert show(bob, made)["quote"]["state"] == "revoked" and show(bob, kept)["quote"]["state"] == "accepted"
    assert show(bob, quoted)["quotes_count"] == 1
    assert revoke(alice, made).status_code == 404, "it is no quote any more"


def test_who_may_quote_is_what_the_author_says(alice, bob, people, nobody):
    fan = people.join("fan")
    follow((fan, alice))
    expected = {"public": (["public"], {bob, fan}), "followers": (["followers"], {fan}), "nobody": ([], set())}

    def check(quoted: dict, policy: str) -> None:
        automatic, may = expected[policy]
        for client in [bob, fan]:
            verdict = "automatic" if client in may else "denied"
            assert approval(client, quoted) == (automatic, verdict), policy
            answer = call(client, "POST", "/api/v1/statuses", json={"status": "x", "quoted_status_id": quoted["id"]})
            assert answer.status_code == (200 if client in may else 404), answer.text
        assert approval(alice, quoted) == (automatic, "automatic") and quote(alice, quoted)["quote"]["state"] == "accepted"
        assert approval(nobody, quoted)[1] == "denied"

    for policy in expected:
        check(post(alice, quote_approval_policy=policy), policy)
    changed = post(alice)
    check(changed, "public")
    before = quote(bob, changed)
    answer = call(alice, "PUT", f"/api/v1/statuses/{changed['id']}/interaction_policy", json={"quote_approval_policy": "nobody"})
    assert answer.json()["quote_approval"]["automatic"] == [] and answer.json()["edited_at"] is None
    check(changed, "nobody")
    assert show(nobody, before)["quote"]["state"] == "accepted", "what was quoted before stays"
    alice.status_update(changed["id"], "edited")
    check(changed, "public")
    answer = call(alice, "PATCH", "/api/v1/accounts/update_credentials", json={"source": {"quote_policy": "followers"}})
    assert answer.json()["source"]["quote_policy"] == "followers"
    assert call(alice, "GET", "/api/v1/preferences").json()["posting:default:quote_policy"] == "followers"
    check(post(alice), "followers")
    for path, body in [("/api/v1/statuses", {"status": "x"}), (f"/api/v1/statuses/{changed['id']}/interaction_policy", {})]:
        method = "PUT" if "policy" in path else "POST"
        assert call(alice, method, path, json=body | {"quote_approval_policy": "friends"}).status_code == 422
    assert call(bob, "PUT", f"/api/v1/statuses/{changed['id']}/interaction_policy", json={}).status_code == 404


def test_what_is_for_few_is_quoted_by_its_author_for_few(alice, bob, people):
    follow((bob, alice))
    private = post(alice, "for followers", visibility="private", quote_approval_policy="public")
    assert approval(bob, private) == ([], "denied") and approval(alice, private) == ([], "automatic")
    body = {"status": "x", "quoted_status_id": private["id"]}
    assert call(bob, "POST", "/api/v1/statuses", json=body).status_code == 404
    mine = quote(alice, private, visibility="public")
    assert mine["visibility"] == "private" and mine["quote"]["state"] == "accepted"
    direct = post(alice, f"@{bob.name} psst", visibility="direct")
    for client in [alice, bob]:
        assert approval(client, direct) == ([], "denied")
        assert call(client, "POST", "/api/v1/statuses", json=body | {"quoted_status_id": direct["id"]}).status_code == 404
    open_post, carol = post(alice), people.join("carol")
    unnamed = {"status": f"@{carol.name} look", "visibility": "direct", "quoted_status_id": open_post["id"]}
    assert call(bob, "POST", "/api/v1/statuses", json=unnamed).status_code == 422
    assert quote(bob, open_post, f"@{alice.name} look", visibility="direct")["quote"]["state"] == "accepted"


def test_a_quote_never_shows_what_the_reader_may_not_see(alice, bob, people, nobody):
    """Alice's own followers-only words, quoted by herself where others see the quote."""
    word = "secret" + alice.name
    follow((bob, alice))
    private = post(alice, word, visibility="private")
    mine = quote(alice, private, f"@{(stranger := people.join('stranger')).name} look", visibility="private")
    assert show(bob, mine)["quote"]["state"] == "accepted"
    seen = call(stranger, "GET", f"/api/v1/statuses/{mine['id']}")
    assert seen.json()["quote"] == {"state": "unauthorized", "quoted_status": None} and word not in seen.text
    assert private["url"] not in seen.text
    told = call(stranger, "GET", "/api/v1/notifications")
    assert told.json()[0]["status"]["id"] == mine["id"] and word not in told.text
    within = quote(alice, mine, f"@{stranger.name} again", visibility="private")
    seen = call(stranger, "GET", f"/api/v1/statuses/{within['id']}")
    assert seen.json()["quote"]["quoted_status"]["quote"] == {"state": "unauthorized", "quoted_status_id": None}
    assert word not in seen.text
    assert call(bob, "POST", f"/api/v1/accounts/{alice.me_id}/unfollow").status_code == 200
    eventually("unfollowed", lambda: call(bob, "GET", f"/api/v1/statuses/{private['id']}").status_code == 404)
    assert call(bob, "GET", f"/api/v1/statuses/{mine['id']}").status_code == 404


def test_blocks_mutes_and_deletion_show(alice, bob, people):
    reader = people.join("reader")
    quoted = post(alice, "words that some will not see")
    made = quote(bob, quoted)
    state = lambda client: (show(client, made)["quote"]["state"], show(client, made)["quote"]["quoted_status"] is not None)
    assert state(reader) == ("accepted", True)
    reader.account_mute(alice.me_id)
    assert state(reader) == ("muted_account", True)
    reader.account_block(alice.me_id)
    assert state(reader) == ("blocked_account", True)
    reader.account_unblock(alice.me_id)
    reader.account_unmute(alice.me_id)
    eventually("unblocked", lambda: state(reader) == ("accepted", True))
    alice.account_block(reader.me_id)
    eventually("not for them", lambda: state(reader) == ("unauthorized", False))
    assert state(bob) == ("accepted", True)
    alice.account_block(bob.me_id)
    body = {"status": "x", "quoted_status_id": quoted["id"]}
    eventually("not for them", lambda: call(bob, "POST", "/api/v1/statuses", json=body).status_code == 404)
    alice.status_delete(quoted["id"])
    assert state(people.join("another")) == ("deleted", False)


def test_who_quotes_a_post_is_told_of_its_edits(alice, bob):
    quoted = post(alice)
    made = quote(bob, quoted)
    alice.status_update(quoted["id"], "other words")
    told = eventually("told", lambda: call(bob, "GET", "/api/v1/notifications?types[]=quoted_update").json())
    assert told[0]["status"]["id"] == made["id"] and told[0]["account"]["id"] == str(alice.me_id)
    assert told[0]["status"]["quote"]["quoted_status"]["content"] == "<p>other words</p>"


def test_a_quote_stays_when_its_post_is_edited_and_goes_with_it(alice, bob):
    quoted = post(alice)
    made = quote(bob, quoted)
    answer = call(bob, "PUT", f"/api/v1/statuses/{made['id']}", json={"status": "other words", "quoted_status_id": post(alice)["id"]})
    assert answer.json()["quote"]["quoted_status"]["id"] == quoted["id"]
    assert ids(alice.notifications(types=["quote"]))
    bob.status_delete(made["id"])
    eventually("taken back", lambda: not alice.notifications(types=["quote"]))


def test_a_post_for_later_quotes(alice, bob):
    quoted = post(alice)
    later = post(bob, quoted_status_id=quoted["id"], quote_approval_policy="nobody", scheduled_at="2031-01-01T00:00:00Z")
    assert (later["params"]["quoted_status_id"], later["params"]["quote_approval_policy"]) == (quoted["id"], "nobody")
    assert show(alice, quoted)["quotes_count"] == 0


def test_what_cannot_be_quoted_so_is_refused(alice, bob):
    quoted = post(alice)
    media = bob.media_post(png(), "image/png", synchronous=True)
    poll = {"options": ["a", "b"], "expires_in": 3600}
    for more in [{"media_ids": [str(media.id)]}, {"poll": poll}]:
        body = {"status": "x", "quoted_status_id": quoted["id"]} | more
        answer = call(bob, "POST", "/api/v1/statuses", json=body)
        assert answer.status_code == 422 and "quote" in answer.json()["error"]
    for wrong in ["1", "banana", "9" * 30]:
        answer = call(bob, "POST", "/api/v1/statuses", json={"status": "x", "quoted_status_id": wrong})
        assert answer.status_code == 404 and "quote" in answer.json()["error"]


@pytest.mark.parametrize("path", ["quotes", "quotes/1/revoke", "interaction_policy"])
def test_of_what_is_not_there_nothing_is_said(bob, path):
    method = {"quotes": "GET", "interaction_policy": "PUT"}.get(path, "POST")
    assert call(bob, method, f"/api/v1/statuses/1/{path}").status_code == 404
