"""Posts of the feed: written, answered, changed, taken back, voted in, liked, kept, shared; for now and for later."""

import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from clients.mastodon_client import call, eventually, follow, ids, refused


@pytest.mark.parametrize("visibility", ["public", "unlisted", "private", "direct"])
def test_a_post_is_as_it_was_written(alice, visibility):
    post = alice.status_post("hello", visibility=visibility, spoiler_text="careful", language="de")
    assert (post.visibility, post.spoiler_text, post.sensitive, post.language) == (visibility, "careful", True, "de")
    assert post.content == "<p>hello</p>" and post.account.id == alice.me_id and post.application.name == "Acceptance"
    assert (post.favourited, post.reblogged, post.bookmarked, post.muted, post.pinned) == (False,) * 5
    assert post.reblog is None and post.edited_at is None and post.poll is None and post.in_reply_to_id is None
    assert abs(post.created_at - datetime.now(UTC)) < timedelta(minutes=1)
    again = alice.status(post.id)
    assert (again.id, again.content, again.url) == (post.id, post.content, post.url)


def test_names_tags_and_addresses_become_links(alice, bob, people):
    text = f"Hi @{bob.name} and @{bob.name}! @nobody-here #Wörld #wörld https://example.org/x?a=1&b=2 a@example.org"
    post = alice.status_post(text)
    assert ids(post.mentions) == [bob.me_id] and post.mentions[0].url == f"{people.url}/@{bob.name}"
    assert [tag.name for tag in post.tags] in (["Wörld"], ["wörld"]) and "/tags/" in post.tags[0].url
    assert 'href="https://example.org/x?a=1&amp;b=2"' in post.content and 'rel="nofollow' in post.content
    assert "h-card" in post.content and "hashtag" in post.content


def test_the_same_key_posts_once(alice, bob):
    first = alice.status_post("once", idempotency_key="k1")
    assert alice.status_post("once", idempotency_key="k1").id == first.id
    assert alice.status_post("once", idempotency_key="k2").id != first.id
    assert bob.status_post("once", idempotency_key="k1").account.id == bob.me_id, "another's key is another"
    assert alice.account(alice.me_id).statuses_count == 2


def test_answers_make_a_thread(alice, bob, nobody):
    root = alice.status_post("root")
    answer = bob.status_reply(root, "answer")
    assert (answer.in_reply_to_id, answer.in_reply_to_account_id) == (root.id, alice.me_id)
    assert ids(answer.mentions) == [alice.me_id]
    deeper = alice.status_post("deeper", in_reply_to_id=answer.id)
    other = bob.status_post("another", in_reply_to_id=root.id)
    around = nobody.status_context(answer.id)
    assert (ids(around.ancestors), ids(around.descendants)) == ([root.id], [deeper.id])
    assert ids(nobody.status_context(root.id).descendants) == [answer.id, deeper.id, other.id]
    assert alice.status(root.id).replies_count == 2
    bob.status_delete(answer.id)
    assert ids(nobody.status_context(root.id).descendants) in ([other.id], [deeper.id, other.id])
    assert eventually("one answer less", lambda: alice.status(root.id).replies_count == 1)
    with refused(404):
        alice.status_post("to what is gone", in_reply_to_id=answer.id)


def test_a_post_is_changed_and_what_it_was_is_kept(alice, bob, nobody):
    post = alice.status_post("first", spoiler_text="")
    assert len(nobody.status_history(post.id)) == 1
    bob.status_favourite(post.id)
    bob.status_reblog(post.id)
    changed = alice.status_update(post.id, "second #tag", spoiler_text="why")
    assert (changed.id, changed.spoiler_text, changed.favourites_count) == (post.id, "why", 1)
    assert changed.edited_at and "second" in nobody.status(post.id).content
    history = nobody.status_history(post.id)
    assert [row.content for row in history[:1]] == ["<p>first</p>"] and len(history) == 2
    assert [row.spoiler_text for row in history] == ["", "why"] and history[1].account.id == alice.me_id
    source = alice.status_source(post.id)
    assert (source.text, source.spoiler_text) == ("second #tag", "why")
    for act in [lambda: bob.status_update(post.id, "mine"), lambda: bob.status_source(post.id)]:
        with refused(403, 404):
            act()
    with refused(422):
        alice.status_update(post.id, "")
    assert "second" in nobody.status(post.id).content


def test_who_shared_a_post_is_told_of_its_change(alice, bob):
    post = alice.status_post("first")
    bob.status_reblog(post.id)
    alice.status_update(post.id, "second")
    told = eventually("told of the change", lambda: bob.notifications(types=["update"]))
    assert told[0].status.id == post.id


def test_a_post_is_taken_back(alice, bob, nobody):
    follow((bob, alice))
    post = alice.status_post("to be taken back #gone", spoiler_text="x")
    bob.status_favourite(post.id)
    bob.status_bookmark(post.id)
    wrapper = bob.status_reblog(post.id)
    gone = alice.status_delete(post.id)
    assert (gone.id, gone.text, gone.spoiler_text) == (post.id, "to be taken back #gone", "x"), "to write it anew"
    for client in [alice, bob, nobody]:
        with refused(404):
            client.status(post.id)
    assert bob.favourites() == [] and bob.bookmarks() == [] and bob.timeline_home() == []
    assert wrapper.id not in ids(bob.account_statuses(bob.me_id)) and nobody.timeline_hashtag("gone") == []
    assert eventually("no notification", lambda: {n.type for n in alice.notifications()} == {"follow"})
    assert alice.account(alice.me_id).statuses_count == 0
    with refused(404):
        alice.status_delete(post.id)


def test_reblogs_go_with_their_post(alice, bob):
    post, kept = alice.status_post("to be taken back"), bob.status_post("kept")
    bob.status_reblog(post.id)
    assert bob.account(bob.me_id).statuses_count == 2
    alice.status_delete(post.id)
    eventually("counted no more", lambda: bob.account(bob.me_id).statuses_count == 1)
    assert ids(bob.account_statuses(bob.me_id)) == [kept.id]


def test_attachments_can_be_posted_again(alice, tmp_path):
    picture = tmp_path / "picture.png"
    command = ["ffmpeg", "-loglevel", "error", "-f", "lavfi", "-i", "testsrc=size=64x64", "-frames:v", "1", picture]
    subprocess.run(command, check=True)
    media = alice.media_post(str(picture), description="a test", synchronous=True)
    gone = alice.status_delete(alice.status_post("wrnog", media_ids=[media]).id)
    again = alice.status_post("right", media_ids=[gone.media_attachments[0].id])
    assert [(it.id, it.description) for it in again.media_attachments] == [(media.id, "a test")]
    assert call(alice, "DELETE", f"/api/v1/statuses/{again.id}?delete_media=true").status_code == 200
    with refused(404, 422):
        alice.status_post("once more", media_ids=[media])


def test_of_others_nothing_is_taken_back(alice, bob):
    post = alice.status_post("mine")
    with refused(404, 403):
        bob.status_delete(post.id)
    assert alice.status(post.id).id == post.id


def test_a_reblog_is_taken_back_by_its_own_id_too(alice, bob):
    post = alice.status_post("shared")
    wrapper = bob.status_reblog(post.id)
    bob.status_delete(wrapper.id)
    assert eventually("no reblog", lambda: alice.status(post.id).reblogs_count == 0)
    assert not bob.status(post.id).reblogged


def test_liking_keeping_and_sharing(alice, bob, nobody):
    post = alice.status_post("like me")
    assert bob.status_favourite(post.id).favourited and bob.status_favourite(post.id).favourites_count == 1
    assert bob.status_bookmark(post.id).bookmarked
    wrapper = bob.status_reblog(post.id)
    assert wrapper.reblog.id == post.id and wrapper.account.id == bob.me_id and wrapper.reblogged
    assert bob.status_reblog(post.id).id == wrapper.id, "shared once"
    seen = bob.status(post.id)
    assert (seen.favourited, seen.bookmarked, seen.reblogged, seen.reblogs_count) == (True, True, True, 1)
    assert not alice.status(post.id).favourited, "who likes it is who likes it"
    assert ids(bob.favourites()) == ids(bob.bookmarks()) == [post.id]
    assert ids(nobody.status_favourited_by(post.id)) == ids(nobody.status_reblogged_by(post.id)) == [bob.me_id]
    assert bob.status_favourite(wrapper.id).id == post.id, "what is done with a reblog is done with the post"
    assert bob.status_unfavourite(post.id).favourites_count == 0 and bob.favourites() == []
    assert bob.status_unreblog(post.id).reblogs_count == 0 and not bob.status(post.id).reblogged
    assert not bob.status_unbookmark(post.id).bookmarked and bob.bookmarks() == []
    assert bob.account_statuses(bob.me_id) == []
    assert not bob.status_unfavourite(post.id).favourited, "twice is as once"


def test_kept_posts_stand_as_they_were_kept(alice, bob):
    posts = [alice.status_post(f"number {n}").id for n in range(4)]
    order = [posts[2], posts[0], posts[3], posts[1]]
    for post in order:
        bob.status_bookmark(post)
        bob.status_favourite(post)
    for listing in [bob.bookmarks, bob.favourites]:
        assert ids(listing()) == order[::-1]
        first = listing(limit=2)
        assert ids(first) == order[:1:-1] and ids(bob.fetch_remaining(first)) == order[::-1]
        assert ids(bob.fetch_previous(bob.fetch_next(first))) == ids(first)


def test_only_what_is_open_is_shared(alice, bob):
    follow((bob, alice))
    for visibility in ["private", "direct"]:
        post = alice.status_post(f"for few @{bob.name}", visibility=visibility)
        with refused(403, 404, 422):
            bob.status_reblog(post.id)
    own = alice.status_post("mine", visibility="private")
    assert alice.status_reblog(own.id).visibility == "private", "one's own, no more open"
    open_one = alice.status_post("open")
    assert bob.status_reblog(open_one.id, visibility="private").visibility == "private"


def test_pins_stand_first(alice, bob, nobody):
    posts = [alice.status_post(f"number {n}").id for n in range(6)]
    assert alice.status_pin(posts[0]).pinned and alice.status_pin(posts[3]).pinned
    assert ids(nobody.account_statuses(alice.me_id, pinned=True)) == [posts[3], posts[0]]
    for refusal in [lambda: bob.status_pin(posts[1]), lambda: alice.status_pin(bob.status_post("bob's").id)]:
        with refused(422):
            refusal()
    hidden = alice.status_post(f"@{bob.name}", visibility="direct")
    with refused(422):
        alice.status_pin(hidden.id)
    for post in [posts[1], posts[2], posts[4]]:
        alice.status_pin(post)
    with refused(422):
        alice.status_pin(posts[5])
    assert not alice.status_unpin(posts[3]).pinned
    assert posts[3] not in ids(nobody.account_statuses(alice.me_id, pinned=True))


def test_a_muted_thread_is_silent(alice, bob):
    root = alice.status_post("root")
    assert alice.status_mute(root.id).muted
    answer = bob.status_post(f"@{alice.name} answer", in_reply_to_id=root.id)
    bob.status_favourite(root.id)
    assert alice.status(answer.id).muted, "all of the thread"
    assert not alice.status_unmute(root.id).muted
    bob.status_post(f"@{alice.name} again", in_reply_to_id=root.id)
    told = eventually("told again", alice.notifications)
    assert len(told) == 1 and "again" in told[0].status.content


def test_polls_are_voted_in_once(alice, bob, people, nobody):
    post = alice.status_post("which?", poll=alice.make_poll(["a", "b"], expires_in=3600))
    poll = post.poll
    assert [option.title for option in poll.options] == ["a", "b"] and not poll.multiple and not poll.expired
    assert poll.voted is True and poll.own_votes == [], "who asks does not vote"
    voted = bob.poll_vote(poll.id, [1])
    assert (voted.voted, voted.own_votes, voted.votes_count) == (True, [1], 1)
    assert [option.votes_count for option in voted.options] == [0, 1]
    for who, choices in [(bob, [0]), (alice, [0]), (people.join("c"), [2]), (people.join("c"), [0, 1]), (people.join("c"), [])]:
        with refused(422):
            who.poll_vote(poll.id, choices)
    assert bob.poll(poll.id).votes_count == 1 and nobody.poll(poll.id).votes_count == 1
    assert "voted" not in call(nobody, "GET", f"/api/v1/polls/{poll.id}").json()
    assert bob.status(post.id).poll.own_votes == [1]


def test_polls_of_many_choices_and_hidden_totals(alice, bob, people):
    post = alice.status_post("which?", poll=alice.make_poll(["a", "b", "c"], 3600, multiple=True, hide_totals=True))
    voted = bob.poll_vote(post.poll.id, [0, 2])
    people.join("c").poll_vote(post.poll.id, [2])
    assert voted.own_votes == [0, 2] and voted.multiple
    seen = bob.poll(post.poll.id)
    assert (seen.votes_count, seen.voters_count) == (3, 2)
    assert all(option.votes_count is None for option in seen.options), "until it ends"


def test_a_changed_poll_begins_anew(alice, bob):
    post = alice.status_post("which?", poll=alice.make_poll(["a", "b"], expires_in=3600))
    bob.poll_vote(post.poll.id, [0])
    same = alice.status_update(post.id, "which one?", poll=alice.make_poll(["a", "b"], expires_in=3600))
    assert same.poll.votes_count == 1, "the same question keeps its votes"
    other = alice.status_update(post.id, "which one?", poll=alice.make_poll(["a", "x"], expires_in=3600))
    assert other.poll.votes_count == 0 and bob.poll(post.poll.id).voted is False
    assert [row.poll and [option.title for option in row.poll.options] for row in alice.status_history(post.id)][-1] == ["a", "x"]


@pytest.mark.parametrize(
    "poll",
    [
        {"options": ["alone"], "expires_in": 3600},
        {"options": [], "expires_in": 3600},
        {"options": ["a", "a"], "expires_in": 3600},
        {"options": ["a", ""], "expires_in": 3600},
        {"options": ["a", "b", "c", "d", "e"], "expires_in": 3600},
        {"options": [f"{n}" for n in range(1_000)], "expires_in": 3600},
        {"options": ["a", "x" * 51], "expires_in": 3600},
        {"options": ["a", "b"], "expires_in": 1},
        {"options": ["a", "b"], "expires_in": 10**12},
        {"options": ["a", "b"], "expires_in": "soon"},
        {"options": ["a", "b"]},
        {"expires_in": 3600},
    ],
)
def test_what_is_no_poll_is_refused(alice, poll):
    assert call(alice, "POST", "/api/v1/statuses", json={"status": "?", "poll": poll}).status_code == 422


def test_scheduled_posts_wait(alice, bob):
    at = datetime.now(UTC) + timedelta(hours=1)
    row = alice.status_post("later", scheduled_at=at, visibility="unlisted", spoiler_text="x", language="de")
    assert row.params.text == "later" and row.params.visibility == "unlisted" and row.params.spoiler_text == "x"
    assert abs(row.scheduled_at - at) < timedelta(seconds=1) and row.media_attachments == []
    polled = alice.status_post("later?", scheduled_at=at, poll=alice.make_poll(["a", "b"], expires_in=3600))
    assert polled.params.poll.options == ["a", "b"]
    assert set(ids(alice.scheduled_statuses())) == {row.id, polled.id} and alice.account_statuses(alice.me_id) == []
    assert alice.scheduled_status(row.id).params.text == "later" and bob.scheduled_statuses() == []
    later = alice.scheduled_status_update(row.id, at + timedelta(hours=1)).scheduled_at
    assert abs(later - at - timedelta(hours=1)) < timedelta(seconds=1)
    for act in [
        lambda: bob.scheduled_status(row.id),
        lambda: bob.scheduled_status_delete(row.id),
        lambda: bob.scheduled_status_update(row.id, at),
    ]:
        with refused(404):
            act()
    for when in [datetime.now(UTC), datetime.now(UTC) + timedelta(minutes=4)]:
        with refused(422):
            alice.scheduled_status_update(row.id, when)
        with refused(422):
            alice.status_post("too soon", scheduled_at=when)
    assert call(alice, "POST", "/api/v1/statuses", json={"status": "x", "scheduled_at": "soon"}).status_code == 422
    alice.scheduled_status_delete(row.id)
    assert ids(alice.scheduled_statuses()) == [polled.id]
    with refused(404):
        alice.scheduled_status(row.id)


def test_several_posts_at_once(alice, bob, nobody):
    one, two = alice.status_post("one"), bob.status_post("two")
    secret = alice.status_post("secret", visibility="private")
    assert set(ids(nobody.statuses([one.id, two.id, secret.id, "1"]))) == {one.id, two.id}


def test_posts_are_found_by_their_words(alice, bob):
    word = "w" + alice.name
    post = alice.status_post(f"a {word} in a haystack", language="de")
    polled = alice.status_post(f"{word}?", poll=alice.make_poll(["a", "b"], expires_in=3600))
    find = lambda who, query: set(ids(who.search_v2(query, result_type="statuses").statuses))
    assert find(alice, word) == {post.id, polled.id} and find(alice, f"{word} has:poll") == {polled.id}
    assert find(alice, f"{word} from:me language:de") == {post.id} and find(alice, f"{word} -haystack") == {polled.id}
    assert find(bob, word) == set(), "who does not want to be found is not"
    alice.account_update_credentials(discoverable=True)
    call(alice, "PATCH", "/api/v1/accounts/update_credentials", json={"indexable": True})
    assert find(bob, word) == {post.id, polled.id}
    secret = alice.status_post(f"{word} for few @{bob.name}", visibility="direct")
    assert secret.id not in find(bob, f"{word} -haystack")
    bob.status_bookmark(secret.id)
    assert secret.id in find(bob, word), "what one keeps is found"
    assert ids(bob.search_v2(post.url, resolve=True).statuses) == [post.id]
    assert bob.search_v2(f"#{word}").statuses == []


def test_tags_are_found_by_their_beginning(alice, bob):
    tag = "T" + alice.name
    alice.status_post(f"#{tag}One and #{tag}Two")
    found = bob.search_v2(f"#{tag.lower()}", result_type="hashtags").hashtags
    assert {row.name.lower() for row in found} == {f"{tag}one".lower(), f"{tag}two".lower()}
    assert bob.search_v2(tag, result_type="accounts").hashtags == []
