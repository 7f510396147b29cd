"""Whom one follows, blocks, mutes and remembers on the feed; lists, and tags that are followed and featured."""

import pytest

from clients.mastodon_client import call, eventually, follow, ids, refused


def test_following_and_no_more(alice, bob, nobody):
    assert bob.account_follow(alice.me_id).following
    assert bob.account_follow(alice.me_id).following, "twice is as once"
    assert ids(bob.account_following(bob.me_id)) == [alice.me_id] and ids(alice.account_followers(alice.me_id)) == [bob.me_id]
    seen = eventually("counted", lambda: (nobody.account(alice.me_id).followers_count == 1) and nobody.account(bob.me_id))
    assert seen.following_count == 1
    relation = bob.account_follow(alice.me_id, reblogs=False, notify=True)
    assert (relation.showing_reblogs, relation.notifying) == (False, True)
    assert not bob.account_unfollow(alice.me_id).following
    assert eventually("not followed", lambda: not alice.account_relationships(bob.me_id)[0].followed_by)
    assert nobody.account(alice.me_id).followers_count == 0 and alice.notifications() == []
    assert not bob.account_unfollow(alice.me_id).following, "twice is as once"


def test_whom_nobody_can_follow(alice, bob):
    with refused(403, 422):
        alice.account_follow(alice.me_id)
    with refused(404):
        alice.account_follow("1")
    alice.account_block(bob.me_id)
    with refused(403):
        alice.account_follow(bob.me_id)


def test_whoever_is_blocked_is_forbidden_to_follow(alice, bob):
    alice.account_block(bob.me_id)
    with refused(403):
        bob.account_follow(alice.me_id)


def test_only_some_languages_are_seen(alice, bob):
    relation = call(bob, "POST", f"/api/v1/accounts/{alice.me_id}/follow", json={"languages": ["de"]}).json()
    assert relation["languages"] == ["de"]
    english, german = alice.status_post("hello", language="en"), alice.status_post("hallo", language="de")
    eventually("at home", lambda: german.id in ids(bob.timeline_home()))
    assert english.id not in ids(bob.timeline_home())
    relation = call(bob, "POST", f"/api/v1/accounts/{alice.me_id}/follow", json={"languages": []}).json()
    assert not relation["languages"] and english.id in ids(bob.timeline_home())


def test_locked_accounts_decide(alice, bob, people):
    alice.account_update_credentials(locked=True)
    secret = alice.status_post("for followers", visibility="private")
    carol = people.join("carol")
    for who in [bob, carol]:
        relation = who.account_follow(alice.me_id)
        assert relation.requested and not relation.following
    assert set(ids(alice.follow_requests())) == {bob.me_id, carol.me_id} and alice.me().source.follow_requests_count == 2
    assert alice.account_relationships(bob.me_id)[0].requested_by
    assert {n.account.id for n in alice.notifications(types=["follow_request"])} == {bob.me_id, carol.me_id}
    assert not alice.follow_request_reject(carol.me_id).followed_by
    assert alice.follow_request_authorize(bob.me_id).followed_by
    assert bob.account_relationships(alice.me_id)[0].following and bob.status(secret.id).id == secret.id
    assert not carol.account_relationships(alice.me_id)[0].requested and alice.follow_requests() == []
    for act in [alice.follow_request_authorize, alice.follow_request_reject]:
        with refused(404):
            act(carol.me_id)
    alice.account_remove_from_followers(bob.me_id)
    eventually("no follower", lambda: not bob.account_relationships(alice.me_id)[0].following)
    with refused(404):
        bob.status(secret.id)


def test_who_unlocks_accepts_those_who_wait(alice, bob, people):
    alice.account_update_credentials(locked=True)
    carol = people.join("carol")
    for asker in [bob, carol]:
        assert asker.account_follow(alice.me_id).requested
    eventually("both ask", lambda: len(alice.follow_requests()) == 2)
    alice.account_update_credentials(locked=False)
    for asker in [bob, carol]:
        eventually("accepted", lambda asker=asker: asker.account_relationships(alice.me_id)[0].following)
    assert alice.follow_requests() == [] and alice.me().followers_count == 2


def test_a_request_is_taken_back(alice, bob):
    alice.account_update_credentials(locked=True)
    bob.account_follow(alice.me_id)
    assert not bob.account_unfollow(alice.me_id).requested
    assert eventually("no request", lambda: alice.follow_requests() == [] or None) and alice.notifications() == []


def test_blocks_count_both_ways(alice, bob):
    follow((bob, alice), (alice, bob))
    post = alice.status_post("hello")
    assert alice.account_block(bob.me_id).blocking
    relation = eventually("blocked", lambda: bob.account_relationships(alice.me_id)[0].blocked_by and bob.account_relationships(alice.me_id)[0])
    assert not relation.following and not relation.followed_by
    for forbidden in [
        lambda: bob.status(post.id),
        lambda: bob.status_favourite(post.id),
        lambda: bob.status_reblog(post.id),
        lambda: bob.status_bookmark(post.id),
        lambda: bob.status_context(post.id),
        lambda: bob.status_history(post.id),
        lambda: bob.status_favourited_by(post.id),
        lambda: bob.status_post("x", in_reply_to_id=post.id),
    ]:
        with refused(404):
            forbidden()
    assert bob.timeline_home() == [] and bob.account_statuses(alice.me_id) == [] and ids(alice.blocks()) == [bob.me_id]
    bob.status_post(f"@{alice.name} hello?")
    assert alice.notifications() == [] and bob.account(alice.me_id).id == alice.me_id
    assert not alice.account_unblock(bob.me_id).blocking and alice.blocks() == []
    assert bob.status(post.id).id == post.id and not bob.account_relationships(alice.me_id)[0].following


def test_mutes_hide_without_a_word(alice, bob, people):
    follow((bob, alice))
    carol = people.join("carol")
    follow((bob, carol))
    post = alice.status_post(f"@{bob.name} hello")
    shared = carol.status_reblog(post.id)
    eventually("at home", lambda: {post.id, shared.id} <= set(ids(bob.timeline_home())))
    relation = bob.account_mute(alice.me_id, duration=3600)
    assert relation.muting and relation.muting_notifications and relation.following
    assert bob.timeline_home() == [] and ids(bob.mutes()) == [alice.me_id]
    assert bob.account_relationships(alice.me_id)[0].muting
    before = len(bob.notifications())
    alice.status_post(f"@{bob.name} are you there?")
    assert not alice.account_relationships(bob.me_id)[0].blocked_by and bob.status(post.id).id == post.id
    assert post.id in ids(bob.account_statuses(alice.me_id)), "who looks there sees"
    assert len(bob.notifications()) <= before
    assert bob.account_mute(alice.me_id, notifications=False).muting_notifications is False
    assert not bob.account_unmute(alice.me_id).muting and bob.mutes() == []
    assert post.id in ids(bob.timeline_home())


def test_a_mute_ends_by_itself(alice, bob):
    follow((bob, alice))
    post = alice.status_post("hello")
    eventually("at home", lambda: ids(bob.timeline_home()) == [post.id])
    assert bob.account_mute(alice.me_id, duration=1).muting
    eventually("no mute any more", lambda: not bob.account_relationships(alice.me_id)[0].muting)
    assert eventually("at home again", lambda: ids(bob.timeline_home()) == [post.id]) and bob.mutes() == []


def test_the_end_of_a_mute_is_told(alice, bob):
    bob.account_mute(alice.me_id, duration=3600)
    row = call(bob, "GET", "/api/v1/mutes").json()[0]
    assert row["id"] == str(alice.me_id) and row["mute_expires_at"], "a muted account says until when"


def test_oneself_is_neither_blocked_nor_muted(alice):
    for act in [alice.account_block, alice.account_mute]:
        with refused(403, 422):
            act(alice.me_id)


def test_notes_are_for_oneself(alice, bob):
    assert bob.account_note_set(alice.me_id, "met at a fair").note == "met at a fair"
    assert bob.account_relationships(alice.me_id)[0].note == "met at a fair"
    assert alice.account_relationships(bob.me_id)[0].note == ""
    with refused(422):
        bob.account_note_set(alice.me_id, "x" * 2_001)
    assert bob.account_note_set(alice.me_id, "").note == ""


def test_endorsements_are_shown(alice, bob, nobody):
    with refused(404, 422):
        alice.account_endorse(bob.me_id)
    follow((alice, bob))
    assert alice.account_endorse(bob.me_id).endorsed and ids(alice.endorsements()) == [bob.me_id]
    shown = call(nobody, "GET", f"/api/v1/accounts/{alice.me_id}/endorsements").json()
    assert [row["id"] for row in shown] == [str(bob.me_id)]
    assert not alice.account_unendorse(bob.me_id).endorsed and alice.endorsements() == []
    alice.account_endorse(bob.me_id)
    alice.account_unfollow(bob.me_id)
    assert alice.endorsements() == [], "only whom one follows"


def test_whoever_is_not_followed_cannot_be_endorsed_which_is_no_lack_of_an_account(alice, bob):
    with refused(422):
        alice.account_endorse(bob.me_id)


def test_lists(alice, bob, people):
    made = bob.list_create("friends")
    assert (made.title, made.replies_policy, made.exclusive) == ("friends", "list", False)
    with refused(404):
        bob.list_accounts_add(made.id, [alice.me_id])
    follow((bob, alice))
    bob.list_accounts_add(made.id, [alice.me_id])
    with refused(422):
        bob.list_accounts_add(made.id, [alice.me_id])
    assert ids(bob.list_accounts(made.id)) == [alice.me_id] and ids(bob.account_lists(alice.me_id)) == [made.id]
    changed = bob.list_update(made.id, "close friends", replies_policy="none", exclusive=True)
    assert (changed.title, changed.replies_policy, changed.exclusive) == ("close friends", "none", True)
    assert ids(bob.lists()) == [made.id] and bob.list(made.id).title == "close friends" and alice.lists() == []
    for act in [
        lambda: alice.list(made.id),
        lambda: alice.list_update(made.id, "mine"),
        lambda: alice.list_delete(made.id),
        lambda: alice.list_accounts(made.id),
        lambda: alice.timeline_list(made.id),
        lambda: alice.list_accounts_add(made.id, [alice.me_id]),
        lambda: alice.list_accounts_delete(made.id, [alice.me_id]),
        lambda: bob.list("1"),
    ]:
        with refused(404):
            act()
    bob.list_accounts_delete(made.id, [alice.me_id])
    assert bob.list_accounts(made.id) == []
    bob.list_accounts_add(made.id, [alice.me_id])
    bob.account_unfollow(alice.me_id)
    assert bob.list_accounts(made.id) == [], "only whom one follows"
    bob.list_delete(made.id)
    assert bob.lists() == []


@pytest.mark.parametrize("asked", [{}, {"title": ""}, {"title": "x" * 256}, {"title": "x", "replies_policy": "all"}])
def test_what_is_no_list_is_refused(alice, asked):
    assert call(alice, "POST", "/api/v1/lists", json=asked).status_code == 422


def test_followed_tags(alice, nobody):
    tag = "Followed" + alice.name
    assert alice.tag(tag).following is False
    followed = alice.tag_follow(tag)
    assert followed.following and followed.name.lower() == tag.lower()
    assert alice.tag_follow(tag).following, "twice is as once"
    assert [row.name.lower() for row in alice.followed_tags()] == [tag.lower()]
    assert "following" not in call(nobody, "GET", f"/api/v1/tags/{tag}").json()
    for n in range(3):
        alice.tag_follow(f"{tag}{n}")
    first = call(alice, "GET", "/api/v1/followed_tags", params={"limit": 3})
    assert len(first.json()) == 3 and 'rel="next"' in first.headers["link"]
    assert not alice.tag_unfollow(tag).following and len(alice.followed_tags()) == 3
    for name in ["no tag", "1234", "-"]:
        assert call(alice, "POST", f"/api/v1/tags/{name}/follow").status_code in (404, 422), name


def test_featured_tags(alice, bob):
    tag = "Rust" + alice.name
    alice.status_post(f"#{tag}")
    row = alice.featured_tag_create(tag)
    assert row.name.lower() == tag.lower() and int(row.statuses_count) == 1 and row.last_status_at
    assert ids(alice.featured_tags()) == ids(bob.account_featured_tags(alice.me_id)) == [row.id]
    assert bob.tag(tag).featuring is False
    with refused(422):
        alice.featured_tag_create("no tag")
    with refused(404):
        bob.featured_tag_delete(row.id)
    alice.featured_tag_delete(row.id)
    assert alice.featured_tags() == []
    assert alice.tag_feature(tag).name.lower() == tag.lower() and len(alice.featured_tags()) == 1
    assert alice.tag_unfeature(tag).featuring is False and alice.featured_tags() == []
    for n in range(10):
        alice.featured_tag_create(f"{tag}{n}")
    with refused(422):
        alice.featured_tag_create(f"{tag}x")


def test_a_tag_says_that_it_is_featured(alice):
    tag = "Rust" + alice.name
    assert alice.tag_feature(tag).featuring is True and alice.tag(tag).featuring is True
