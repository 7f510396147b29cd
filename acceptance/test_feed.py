"""The feed by Mastodon.py: what people do, what others then see, and what they never see."""

import queue
import subprocess
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from mastodon import (
    Mastodon,
    MastodonAPIError,
    MastodonNotFoundError,
    MastodonUnauthorizedError,
    StreamListener,
)

from clients.people import People, eventually, feed_server
from decalog_server import PASSWORD


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One server for the file."""
    server = feed_server(tmp_path_factory.mktemp("feed")).start()
    yield server
    server.finish()


@pytest.fixture(scope="module")
def people(server) -> People:
    """Who makes people."""
    return People(server)


@pytest.fixture
def alice(people) -> Mastodon:
    """Somebody."""
    return people.join("alice")


@pytest.fixture
def bob(people) -> Mastodon:
    """Somebody else."""
    return people.join("bob")


def ids(statuses) -> list:
    """The ids of what a listing shows."""
    return [status.id for status in statuses]


def test_who_signed_up_signs_in_again_and_is_who_they_are(people, alice):
    by_password = people.nobody()
    by_password.log_in(alice.name, PASSWORD, scopes=["read", "write", "follow"], allow_http=True)
    assert by_password.me().id == alice.me_id
    by_mail = people.nobody()
    by_mail.log_in(f"{alice.name}@example.org", PASSWORD, scopes=["read"], allow_http=True)
    assert by_mail.me().acct == alice.name
    with pytest.raises(MastodonAPIError):
        by_mail.status_post("more than was asked for")
    by_password.revoke_access_token(allow_http=True)
    assert alice.me().id == alice.me_id, "another session is not ended"
    assert alice.app_verify_credentials().name == "Acceptance"


def test_the_server_says_what_it_is(people):
    nobody = people.nobody()
    one, two = nobody.instance_v1(), nobody.instance_v2()
    assert one.registrations and two.registrations.enabled
    assert one.version.startswith("4.5.0 ") and two.configuration.statuses.max_characters == 500
    assert [rule.text for rule in nobody.instance_rules()] == ["Be kind."]
    assert nobody.instance_nodeinfo().software.name == "decalog"


def test_a_profile_is_what_was_set(alice, people):
    alice.account_update_credentials(
        display_name="Alice <b>", note="I like #rust & <i>cats</i>", bot=True, locked=True, fields=[("web", "https://example.org")]
    )
    seen = people.nobody().account(alice.me_id)
    assert (seen.display_name, seen.bot, seen.locked) == ("Alice <b>", True, True)
    assert "&lt;i&gt;cats" in seen.note and "<i>" not in seen.note
    assert seen.fields[0].name == "web" and 'href="https://example.org"' in seen.fields[0].value
    assert alice.me().source.note == "I like #rust & <i>cats</i>"
    assert people.nobody().account_lookup(alice.name).id == alice.me_id


def test_a_post_is_in_every_listing_that_it_belongs_to(alice, bob, people):
    bob.account_follow(alice.me_id)
    post = alice.status_post(f"Hello @{bob.name}, #Wörld! https://example.org/x <script>", language="en", spoiler_text="careful")
    assert (post.visibility, post.language, post.spoiler_text, post.sensitive) == ("public", "en", "careful", True)
    assert "&lt;script&gt;" in post.content and [m.id for m in post.mentions] == [bob.me_id]
    assert post.application.name == "Acceptance"
    nobody = people.nobody()
    eventually("the post at home", lambda: post.id in ids(bob.timeline_home()))
    assert post.id in ids(alice.timeline_home()) and post.id in ids(nobody.timeline_public())
    assert post.id in ids(nobody.timeline_hashtag("wörld")) and post.id in ids(nobody.account_statuses(alice.me_id))
    told = eventually("a notification", lambda: bob.notifications())
    assert (told[0].type, told[0].status.id) == ("mention", post.id)
    bob.account_unfollow(alice.me_id)
    assert post.id not in ids(bob.timeline_home())


def test_the_same_key_posts_once(alice):
    first = alice.status_post("once", idempotency_key="k1")
    assert alice.status_post("once", idempotency_key="k1").id == first.id
    assert alice.status_post("once", idempotency_key="k2").id != first.id
    assert alice.account_statuses(alice.me_id)[0].account.statuses_count == 2


def test_threads_edits_and_deletion(alice, bob):
    root = alice.status_post("root")
    answer = bob.status_reply(root, "answer", untag=True)
    deeper = alice.status_post("deeper", in_reply_to_id=answer.id)
    context = bob.status_context(answer.id)
    assert (ids(context.ancestors), ids(context.descendants)) == ([root.id], [deeper.id])
    assert alice.status(root.id).replies_count == 1
    edited = alice.status_update(root.id, "root, better", spoiler_text="now")
    assert edited.edited_at and "better" in edited.content
    assert [revision.content for revision in bob.status_history(root.id)] == ["<p>root</p>", "<p>root, better</p>"]
    assert alice.status_source(root.id).text == "root, better"
    assert alice.status_delete(root.id).text == "root, better"
    with pytest.raises(MastodonNotFoundError):
        bob.status(root.id)
    assert ids(bob.status_context(answer.id).ancestors) == []


def test_likes_reblogs_bookmarks_and_pins(alice, bob):
    post = alice.status_post("likeable")
    assert bob.status_favourite(post.id).favourites_count == 1
    assert bob.status_favourite(post.id).favourites_count == 1
    wrapper = bob.status_reblog(post.id)
    assert wrapper.reblog.id == post.id and wrapper.reblog.reblogged
    assert bob.status_bookmark(post.id).bookmarked and alice.status_pin(post.id).pinned
    assert [who.id for who in alice.status_favourited_by(post.id)] == [bob.me_id]
    assert [who.id for who in alice.status_reblogged_by(post.id)] == [bob.me_id]
    assert ids(bob.favourites()) == [post.id] and ids(bob.bookmarks()) == [post.id]
    assert ids(bob.account_statuses(alice.me_id, pinned=True)) == [post.id]
    kinds = eventually("both told", lambda: len(alice.notifications()) == 2 and {n.type for n in alice.notifications()})
    assert kinds == {"favourite", "reblog"}
    groups = alice.grouped_notifications()
    assert {group.type for group in groups.notification_groups} == {"favourite", "reblog"}
    assert bob.status_unfavourite(post.id).favourites_count == 0
    assert bob.status_unreblog(post.id).reblogs_count == 0
    assert not bob.status_unbookmark(post.id).bookmarked and ids(bob.bookmarks()) == []
    assert wrapper.id not in ids(bob.account_statuses(bob.me_id))


def test_polls_are_voted_in_once(alice, bob):
    poll = alice.make_poll(["a", "b"], expires_in=3600)
    post = alice.status_post("which?", poll=poll)
    voted = bob.poll_vote(post.poll.id, [1])
    assert (voted.voted, voted.own_votes, voted.votes_count) == (True, [1], 1)
    for who, choice in [(bob, 0), (alice, 0)]:
        with pytest.raises(MastodonAPIError):
            who.poll_vote(post.poll.id, [choice])
    assert bob.poll(post.poll.id).votes_count == 1


def test_scheduled_posts_wait(alice):
    at = datetime.now(UTC) + timedelta(hours=1)
    row = alice.status_post("later", scheduled_at=at)
    assert [one.id for one in alice.scheduled_statuses()] == [row.id]
    later = alice.scheduled_status_update(row.id, at + timedelta(hours=1)).scheduled_at
    assert abs(later - at - timedelta(hours=1)) < timedelta(seconds=1)
    alice.scheduled_status_delete(row.id)
    assert alice.scheduled_statuses() == []


def test_locked_accounts_decide(alice, bob):
    alice.account_update_credentials(locked=True)
    secret = alice.status_post("for followers", visibility="private")
    assert bob.account_follow(alice.me_id).requested
    assert [who.id for who in alice.follow_requests()] == [bob.me_id]
    with pytest.raises(MastodonNotFoundError):
        bob.status(secret.id)
    alice.follow_request_authorize(bob.me_id)
    assert bob.account_relationships(alice.me_id)[0].following
    assert bob.status(secret.id).id == secret.id and secret.id in ids(bob.timeline_home())
    alice.account_remove_from_followers(bob.me_id)
    eventually("no follower", lambda: not bob.account_relationships(alice.me_id)[0].following)
    with pytest.raises(MastodonNotFoundError):
        bob.status(secret.id)


def test_blocks_count_both_ways(alice, bob):
    bob.account_follow(alice.me_id)
    post = alice.status_post("hello")
    assert alice.account_block(bob.me_id).blocking
    relation = eventually("blocked", lambda: bob.account_relationships(alice.me_id)[0].blocked_by)
    assert relation and not bob.account_relationships(alice.me_id)[0].following
    for forbidden in [
        lambda: bob.status(post.id),
        lambda: bob.status_favourite(post.id),
        lambda: bob.status_reblog(post.id),
        lambda: bob.status_post("x", in_reply_to_id=post.id),
        lambda: bob.account_follow(alice.me_id),
    ]:
        with pytest.raises(MastodonAPIError):
            forbidden()
    assert post.id not in ids(bob.timeline_home()) and post.id not in ids(bob.account_statuses(alice.me_id))
    assert [who.id for who in alice.blocks()] == [bob.me_id]
    alice.account_unblock(bob.me_id)
    eventually("the post again", lambda: not bob.account_relationships(alice.me_id)[0].blocked_by)
    assert bob.status(post.id).id == post.id


def test_mutes_hide_without_a_word(alice, bob):
    bob.account_follow(alice.me_id)
    post = alice.status_post(f"@{bob.name} hello")
    eventually("at home", lambda: post.id in ids(bob.timeline_home()))
    bob.account_mute(alice.me_id, duration=3600)
    assert post.id not in ids(bob.timeline_home()) and [who.id for who in bob.mutes()] == [alice.me_id]
    assert not alice.account_relationships(bob.me_id)[0].blocked_by
    assert bob.account_note_set(alice.me_id, "met at a fair").note == "met at a fair"
    bob.account_unmute(alice.me_id)
    assert post.id in ids(bob.timeline_home())


@pytest.mark.parametrize("visibility", ["public", "unlisted", "private", "direct"])
def test_nobody_sees_what_is_not_for_them(people, visibility):
    author, follower, named, stranger, blocked = (people.join(name) for name in "afnsb")
    nobody = people.nobody()
    follower.account_follow(author.me_id)
    author.account_block(blocked.me_id)
    named.update_notifications_policy(for_private_mentions="accept")
    root = author.status_post("root")
    post = author.status_post(f"secret @{named.name} #tagged", visibility=visibility, in_reply_to_id=root.id)
    allowed = {"public": "afnsx", "unlisted": "afnsx", "private": "afn", "direct": "an"}[visibility]
    everybody = {"a": author, "f": follower, "n": named, "s": stranger, "b": blocked, "x": nobody}
    for letter, who in everybody.items():
        may = letter in allowed
        seen = ids(who.statuses([post.id]))
        assert (seen == [post.id]) == may, f"{letter} sees a {visibility} post: {seen}"
        assert (post.id in ids(who.account_statuses(author.me_id))) == may, letter
        assert post.id not in ids(who.timeline_public()) or visibility == "public"
        assert (post.id in ids(who.timeline_hashtag("tagged"))) == (may and visibility == "public"), letter
        if letter != "b":
            assert (post.id in ids(who.status_context(root.id).descendants)) == may, letter
        if letter != "x" and not may:
            for act in [who.status_favourite, who.status_reblog, who.status_bookmark, who.status_mute]:
                with pytest.raises(MastodonAPIError):
                    act(post.id)
            with pytest.raises(MastodonAPIError):
                who.status_post("answer", in_reply_to_id=post.id)
            assert who.search_v2(post.url, resolve=True).statuses == [], letter
    home = lambda who: post.id in ids(who.timeline_home())
    assert home(author) and home(follower) == (visibility != "direct") and not home(stranger) and not home(blocked)
    told = eventually("a notification", lambda: [n for n in named.notifications() if n.type == "mention"])
    assert told[0].status.id == post.id
    if visibility == "direct":
        talk = eventually("a conversation", lambda: named.conversations())
        assert talk[0].last_status.id == post.id and talk[0].unread and stranger.conversations() == []
        named.conversations_read(talk[0].id)
        assert not named.conversations()[0].unread


def test_lists_and_tags(alice, bob, people):
    bob.account_follow(alice.me_id)
    made = bob.list_create("friends", replies_policy="none", exclusive=True)
    bob.list_accounts_add(made.id, [alice.me_id])
    post = alice.status_post("in a list #Listed")
    assert ids(bob.timeline_list(made.id)) == [post.id] and post.id not in ids(bob.timeline_home())
    assert [one.id for one in bob.list_accounts(made.id)] == [alice.me_id]
    bob.list_update(made.id, "friends", exclusive=False)
    assert post.id in ids(bob.timeline_home())
    bob.list_delete(made.id)
    carol = people.join("carol")
    assert carol.tag_follow("listed").following
    assert post.id in ids(carol.timeline_home()), "what was posted before"
    other = alice.status_post("again #listed")
    eventually("what is posted after", lambda: other.id in ids(carol.timeline_home()))
    assert [tag.name for tag in carol.followed_tags()] == ["listed"]
    for asked, expected in [("any[]=nothing", 2), ("all[]=nothing", 0), ("none[]=listed", 0)]:
        assert len(httpx.get(f"{people.url}/api/v1/timelines/tag/listed?{asked}").json()) == expected, asked


def test_pages_lead_through_everything_once(alice, people):
    posts = [alice.status_post(f"number {n}").id for n in range(25)]
    client = people.nobody()
    first = client.account_statuses(alice.me_id, limit=10)
    assert ids(client.fetch_remaining(first)) == posts[::-1]
    second = client.fetch_next(first)
    assert ids(second) == posts[5:15][::-1] and ids(client.fetch_previous(second)) == ids(first)
    assert ids(client.account_statuses(alice.me_id, min_id=posts[3], limit=2)) == posts[4:6][::-1]
    assert ids(client.account_statuses(alice.me_id, since_id=posts[20], limit=2)) == posts[23:25][::-1]
    assert ids(alice.timeline_home(max_id=posts[2])) == posts[:2][::-1]


def test_filters_mark_and_hide(alice, bob):
    bob.account_follow(alice.me_id)
    made = bob.create_filter_v2("no cats", ["home"], "warn", keywords_attributes=[{"keyword": "cat", "whole_word": True}])
    post, other = alice.status_post("a cat"), alice.status_post("concatenate")
    eventually("both at home", lambda: other.id in ids(bob.timeline_home()))
    seen = {status.id: status.filtered for status in bob.timeline_home()}
    assert seen[post.id][0].filter.title == "no cats" and seen[post.id][0].keyword_matches == ["cat"]
    assert seen[other.id] == []
    bob.update_filter_v2(made.id, filter_action="hide")
    assert ids(bob.timeline_home()) == [other.id]
    assert bob.filters()[0].phrase == "cat", "in the first form, too"
    bob.delete_filter_v2(made.id)
    assert post.id in ids(bob.timeline_home())


def test_markers_preferences_and_search(alice, bob):
    post = alice.status_post("a needle in a haystack")
    assert alice.markers_set(["home"], [post.id])["home"].last_read_id == str(post.id)
    assert alice.markers_get(["home"])["home"].version == 1
    alice.account_update_credentials(discoverable=True)
    assert alice.preferences()["posting:default:visibility"] == "public"
    assert ids(alice.search_v2("needle", result_type="statuses").statuses) == [post.id]
    assert ids(alice.search_v2("needle from:me", result_type="statuses").statuses) == [post.id]
    assert alice.search_v2("needle has:poll", result_type="statuses").statuses == []
    assert bob.search_v2("needle", result_type="statuses").statuses == [], "who is not indexable is not found"
    assert [who.id for who in bob.search_v2(alice.name).accounts] == [alice.me_id]


class Listener(StreamListener):
    """Notes what a stream tells."""

    def __init__(self):
        self.told = queue.Queue()

    def on_update(self, status):
        self.told.put(("update", status.id))

    def on_status_update(self, status):
        self.told.put(("edit", status.id))

    def on_delete(self, status_id):
        self.told.put(("delete", status_id))

    def on_notification(self, notification):
        self.told.put(("notification", notification.type))


def test_streams_tell_what_happens_as_it_happens(alice, bob):
    bob.account_follow(alice.me_id)
    listener = Listener()
    handle = bob.stream_user(listener, run_async=True)
    try:
        # The stream is open once it tells something.
        def told():
            alice.status_post("are you there?")
            return not listener.told.empty()

        eventually("the stream", told)
        post = alice.status_post("news")
        while listener.told.get(timeout=10) != ("update", post.id):
            pass
        alice.status_update(post.id, "old news")
        assert listener.told.get(timeout=10) == ("edit", post.id)
        alice.status_delete(post.id)
        assert listener.told.get(timeout=10) == ("delete", str(post.id))
        alice.account_follow(bob.me_id)
        assert listener.told.get(timeout=10) == ("notification", "follow")
    finally:
        handle.close()


def test_every_stream_of_an_account_tells_everything_once(alice, bob):
    """What one of them is told is made for all of them."""
    bob.account_follow(alice.me_id)
    listeners = [Listener(), Listener(), Listener()]
    handles = [bob.stream_user(listener, run_async=True) for listener in listeners]
    try:
        def told():
            alice.status_post("are you there?")
            return all(not listener.told.empty() for listener in listeners)

        eventually("the streams", told)
        posts = [alice.status_post(f"news {number}").id for number in range(5)]
        alice.status_update(posts[0], "old news")
        expected = [("update", post) for post in posts] + [("edit", posts[0])]
        for listener in listeners:
            while (first := listener.told.get(timeout=10)) != expected[0]:
                pass
            assert [first] + [listener.told.get(timeout=10) for _ in expected[1:]] == expected
            assert listener.told.empty()
    finally:
        for handle in handles:
            handle.close()


def test_an_attachment_is_made_safe_and_served(alice, people, tmp_path):
    picture = tmp_path / "picture.png"
    subprocess.run(
        ["ffmpeg", "-loglevel", "error", "-f", "lavfi", "-i", "testsrc=size=320x240", "-frames:v", "1", picture], check=True
    )
    media = alice.media_post(str(picture), description="a test", focus=(0.5, -0.5))
    assert (media.type, media.description, media.meta.original.size) == ("image", "a test", "320x240")
    post = alice.status_post("look", media_ids=[media])
    url = people.nobody().status(post.id).media_attachments[0].url
    assert url != media.url, "before it was posted it was for nobody else"
    served = httpx.get(url)
    assert served.headers["content-type"] == "image/png" and served.content.startswith(b"\x89PNG")
    part = httpx.get(url, headers={"range": "bytes=0-3"})
    assert part.status_code == 206 and part.content == served.content[:4]
    assert httpx.get(url, headers={"if-none-match": served.headers["etag"]}).status_code == 304
    forged = tmp_path / "forged.png"
    forged.write_text("<html><script>alert(1)</script></html>")
    with pytest.raises(MastodonAPIError, match="HTML"):
        alice.media_post(str(forged), mime_type="image/png")


@pytest.mark.parametrize(
    "path, status",
    [
        ("/api/v1/statuses/banana", 404),
        ("/api/v1/statuses/99999999999999999999", 404),
        ("/api/v1/accounts/-1", 404),
        ("/api/v1/timelines/home", 401),
        ("/api/v1/timelines/public?max_id=banana&limit=-5", 200),
        ("/api/v1/timelines/tag/%00?any[][][][][][]=x", 200),
        ("/api/v1/polls/1", 404),
        ("/media/../../etc/passwd", 404),
        ("/media/00.png", 404),
    ],
)
def test_strange_requests_get_a_clear_answer(server, path, status):
    answer = httpx.get(server.url + path)
    assert answer.status_code == status, answer.text
    assert status == 200 or "error" in answer.json() or answer.headers["content-type"] == "application/problem+json"


def test_refusals_are_in_mastodons_form(people, alice):
    for post, said in [("x" * 501, "character limit"), ("", "blank")]:
        with pytest.raises(MastodonAPIError, match=said):
            alice.status_post(post)
    with pytest.raises(MastodonUnauthorizedError):
        Mastodon(access_token="nonsense", api_base_url=people.url).timeline_home()
    reader = people.nobody()
    reader.log_in(alice.name, PASSWORD, scopes=["read"], allow_http=True)
    with pytest.raises(MastodonAPIError):
        reader.status_post("a token that may only read")
    writer = people.nobody()
    writer.log_in(alice.name, PASSWORD, scopes=["write:media"], allow_http=True)
    secret = alice.status_post("not for a token that may only write", visibility="private")
    with pytest.raises(MastodonNotFoundError):
        writer.status(secret.id)
    flood = alice.status_post("😀" * 499 + " ")
    assert flood.id and alice.status_post("#" * 400 + "@" * 90).id


def test_kill_9_loses_nothing_that_was_answered(server, people):
    author, reader = people.join("author"), people.join("reader")
    reader.account_follow(author.me_id)
    posts = [author.status_post(f"number {n}").id for n in range(30)]
    reader.status_favourite(posts[0])
    server.restart()
    assert ids(author.account_statuses(author.me_id, limit=40)) == posts[::-1]
    assert ids(reader.timeline_home(limit=40)) == posts[::-1], "at home, each once"
    assert reader.status(posts[0]).favourited and reader.status(posts[0]).favourites_count == 1
    assert reader.account_relationships(author.me_id)[0].following
    after = author.status_post("after")
    eventually("the next one", lambda: ids(reader.timeline_home())[0] == after.id)
