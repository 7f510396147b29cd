"""What reaches one on the feed: notifications, one by one and in groups, conversations, markers, and filters."""

import pytest

from clients.mastodon_client import call, eventually, follow, ids, refused


def told(client, count: int, **keys) -> list:
    """Waits for so many notifications."""
    return eventually(f"{count} notifications", lambda: len(found := client.notifications(**keys)) == count and found)


def test_each_kind_is_told(alice, bob):
    bob.account_follow(alice.me_id)
    post = alice.status_post("hello")
    bob.status_favourite(post.id)
    bob.status_reblog(post.id)
    mention = bob.status_reply(post, "hello yourself")
    rows = told(alice, 4)
    assert [row.type for row in rows] == ["mention", "reblog", "favourite", "follow"]
    assert [row.status.id if row.status else None for row in rows] == [mention.id, post.id, post.id, None]
    assert {row.account.id for row in rows} == {bob.me_id} and bob.notifications() == []
    assert alice.notifications(id=rows[0].id).status.id == mention.id
    assert ids(alice.notifications(types=["follow", "reblog"])) == [rows[1].id, rows[3].id]
    assert ids(alice.notifications(exclude_types=["mention"])) == ids(rows[1:])
    assert alice.notifications(account_id=alice.me_id) == [] and len(alice.notifications(account_id=bob.me_id)) == 4
    first = alice.notifications(limit=2)
    assert ids(alice.fetch_remaining(first)) == ids(rows) and ids(alice.fetch_next(first)) == ids(rows[2:])
    with refused(404):
        bob.notifications(id=rows[0].id)
    bob.notifications_dismiss(rows[0].id)
    assert len(alice.notifications()) == 4, "only one's own"
    alice.notifications_dismiss(rows[0].id)
    assert ids(alice.notifications()) == ids(rows[1:])
    bob.status_unfavourite(post.id)
    assert [row.type for row in told(alice, 2)] == ["reblog", "follow"], "what is taken back is not told"
    alice.notifications_clear()
    assert alice.notifications() == []


def test_who_rings_is_told_of_each_post(alice, bob):
    bob.account_follow(alice.me_id, notify=True)
    post = alice.status_post("news")
    row = told(bob, 1)[0]
    assert (row.type, row.status.id) == ("status", post.id)
    alice.status_reblog(bob.status_post("x").id)
    alice.status_post("secret", visibility="direct")
    bob.account_follow(alice.me_id, notify=False)
    alice.status_post("more")
    alice.status_post(f"@{bob.name}, the end")
    rows = told(bob, 2, types=["status", "mention"])
    assert [row.type for row in rows] == ["mention", "status"]


def test_the_unread_are_counted(alice, bob):
    for n in range(3):
        bob.status_post(f"@{alice.name} {n}")
    rows = told(alice, 3)
    assert alice.notifications_unread_count().count == 3 and alice.unread_grouped_notifications_count() == 3
    alice.markers_set(["notifications"], [rows[1].id])
    assert alice.notifications_unread_count().count == 1
    assert call(alice, "GET", "/api/v1/notifications/unread_count", params={"limit": 1}).json() == {"count": 1}
    assert call(alice, "GET", "/api/v1/notifications/unread_count", params={"types[]": "follow"}).json() == {"count": 0}


def test_groups(alice, people):
    post, other = alice.status_post("hello"), alice.status_post("other")
    friends = [people.join("f") for _ in range(3)]
    for friend in friends:
        friend.account_follow(alice.me_id)
        friend.status_favourite(post.id)
        friend.status_favourite(other.id)
    friends[0].status_reply(post, "one")
    friends[0].status_reply(post, "two")
    told(alice, 11)
    found = alice.grouped_notifications()
    kinds = [(group.type, group.notifications_count) for group in found.notification_groups]
    assert sorted(kinds) == [("favourite", 3), ("favourite", 3), ("follow", 3), ("mention", 1), ("mention", 1)]
    assert {account.id for account in found.accounts} == {friend.me_id for friend in friends}
    assert {post.id, other.id} < set(ids(found.statuses)) and len(found.statuses) == 4
    group = next(group for group in found.notification_groups if str(group.status_id) == str(post.id))
    assert {str(one) for one in group.sample_account_ids} == {str(friend.me_id) for friend in friends}
    assert int(group.page_min_id) <= int(group.page_max_id) and str(group.most_recent_notification_id) == str(group.page_max_id)
    one = alice.grouped_notification(group.group_key)
    assert [row.group_key for row in one.notification_groups] == [group.group_key]
    assert set(ids(alice.grouped_notification_accounts(group.group_key))) == {friend.me_id for friend in friends}
    assert {row.type for row in alice.grouped_notifications(types=["favourite"]).notification_groups} == {"favourite"}
    apart = alice.grouped_notifications(grouped_types=["follow"]).notification_groups
    assert sum(row.type == "favourite" for row in apart) == 6, "only what shall be grouped is"
    alice.dismiss_grouped_notification(group.group_key)
    assert group.group_key not in [row.group_key for row in alice.grouped_notifications().notification_groups]
    with refused(404):
        alice.grouped_notification("nothing-1-2")
    raw = call(alice, "GET", "/api/v2/notifications", params={"limit": 2})
    assert 'rel="next"' in raw.headers["link"] and set(raw.json()) >= {"accounts", "statuses", "notification_groups"}


def test_unread_groups_are_counted(alice, people):
    post = alice.status_post("hello")
    for friend in [people.join("f"), people.join("f")]:
        friend.status_favourite(post.id)
    told(alice, 2)
    assert alice.unread_grouped_notifications_count() == 1, "groups are counted, not what is in them"


def test_conversations(alice, bob, people):
    carol = people.join("carol")
    follow((bob, alice), (carol, alice))
    first = alice.status_post(f"@{bob.name} and @{carol.name}, listen", visibility="direct")
    talk = eventually("a conversation", bob.conversations)[0]
    assert talk.last_status.id == first.id and talk.unread
    assert {account.id for account in talk.accounts} == {alice.me_id, carol.me_id}
    mine = eventually("one's own", alice.conversations)[0]
    assert not mine.unread and {account.id for account in mine.accounts} == {bob.me_id, carol.me_id}
    answer = bob.status_reply(first, "yes?", visibility="direct")
    eventually("the answer", lambda: alice.conversations()[0].last_status.id == answer.id)
    assert alice.conversations()[0].unread and not alice.conversations_read(mine.id).unread
    assert not alice.conversations()[0].unread and len(alice.conversations()) == 1
    second = alice.status_post(f"@{bob.name} another thing", visibility="direct")
    eventually("both", lambda: [row.last_status.id for row in bob.conversations()] == [second.id, answer.id])
    page = bob.conversations(limit=1)
    assert [row.last_status.id for row in bob.fetch_remaining(page)] == [second.id, answer.id]
    with refused(404):
        alice.conversations_read("1")
    assert call(bob, "DELETE", f"/api/v1/conversations/{talk.id}").json() == {}
    assert [row.last_status.id for row in bob.conversations()] == [second.id]
    alice.status_delete(second.id)
    assert eventually("gone", lambda: bob.conversations() == []), "nothing is left of it"


def test_a_conversation_falls_back_to_what_was_said_before(alice, bob):
    follow((bob, alice))
    first = alice.status_post(f"@{bob.name} one", visibility="direct")
    second = alice.status_post(f"@{bob.name} two", visibility="direct", in_reply_to_id=first.id)
    eventually("the second", lambda: [row.last_status.id for row in bob.conversations()] == [second.id])
    alice.status_delete(second.id)
    eventually("the first", lambda: [row.last_status.id for row in bob.conversations()] == [first.id])


def test_markers(alice, bob):
    post = alice.status_post("one")
    assert alice.markers_get(["home", "notifications"]) == {}
    row = alice.markers_set(["home"], [post.id])["home"]
    assert (row.last_read_id, row.version) in [(post.id, 1), (str(post.id), 1), (post.id, 0), (str(post.id), 0)]
    before = row.version
    later = alice.markers_set(["home", "notifications"], [post.id, "5"])
    assert later["home"].version == before + 1 and str(later["notifications"].last_read_id) == "5"
    assert set(alice.markers_get(["home"])) == {"home"} and bob.markers_get(["home"]) == {}
    assert call(alice, "POST", "/api/v1/markers", json={"home": {"last_read_id": "banana"}}).status_code == 422
    assert call(alice, "POST", "/api/v1/markers", data={"home[last_read_id]": "7"}).json()["home"]["last_read_id"] == "7"


def test_filters_mark_what_they_find(alice, bob):
    follow((bob, alice))
    words = [{"keyword": "cat", "whole_word": True}, {"keyword": "dog", "whole_word": False}]
    made = bob.create_filter_v2("no pets", ["home", "public"], "warn", keywords_attributes=words)
    assert [(word.keyword, word.whole_word) for word in made.keywords] == [("cat", True), ("dog", False)]
    texts = ["a Cat", "concatenate", "dogma", "neither"]
    posts = {text: alice.status_post(text).id for text in texts} | {"spoiler": alice.status_post("x", spoiler_text="cat").id}
    polled = alice.status_post("?", poll=alice.make_poll(["cat", "mouse"], 3600)).id
    eventually("all at home", lambda: len(bob.timeline_home()) == 6)
    seen = {row.id: row.filtered for row in bob.timeline_home()}
    assert [text for text in posts if seen[posts[text]]] == ["a Cat", "dogma", "spoiler"] and seen[polled]
    match = seen[posts["a Cat"]][0]
    assert (match.filter.title, match.filter.filter_action, match.keyword_matches) == ("no pets", "warn", ["cat"])
    assert not bob.account_statuses(alice.me_id)[1].filtered, "elsewhere nothing is marked"
    assert not [row for row in alice.timeline_home() if row.filtered]
    shared = alice.status_reblog(posts["a Cat"])
    eventually("shared", lambda: shared.id in ids(bob.timeline_home()))
    assert bob.timeline_home()[0].filtered or bob.timeline_home()[0].reblog.filtered


def test_filters_hide(alice, bob):
    follow((bob, alice))
    post, other = alice.status_post("a cat"), alice.status_post("a mouse")
    bob.create_filter_v2("no cats", ["home"], "hide", keywords_attributes=[{"keyword": "cat", "whole_word": True}])
    eventually("without", lambda: ids(bob.timeline_home()) == [other.id])
    assert bob.status(post.id).id == post.id and ids(bob.account_statuses(alice.me_id)) == [other.id, post.id]


def test_a_hidden_post_can_still_be_opened(alice, bob):
    post = alice.status_post("a cat")
    contexts = ["home", "public", "thread", "account", "notifications"]
    bob.create_filter_v2("no cats", contexts, "hide", keywords_attributes=[{"keyword": "cat", "whole_word": True}])
    assert bob.status(post.id).filtered[0].filter.title == "no cats"
    assert bob.status_favourite(post.id).favourited, "what is done is answered"


def test_filters_by_their_parts(alice, bob):
    made = bob.create_filter_v2("parts", ["home"], "warn")
    assert made.keywords == [] and made.expires_at is None
    word = bob.add_filter_keyword_v2(made.id, "cat", whole_word=True)
    assert ids(bob.filter_keywords_v2(made.id)) == [word.id]
    changed = call(bob, "PUT", f"/api/v2/filters/keywords/{word.id}", json={"keyword": "dog"}).json()
    assert (changed["keyword"], changed["whole_word"]) == ("dog", True)
    post = alice.status_post("by itself")
    entry = bob.add_filter_status_v2(made.id, post.id)
    assert str(entry.status_id) == str(post.id) and ids(bob.filter_statuses_v2(made.id)) == [entry.id]
    follow((bob, alice))
    assert bob.timeline_home()[0].filtered[0].status_matches == [str(post.id)]
    bob.delete_filter_status_v2(entry.id)
    assert not bob.timeline_home()[0].filtered
    bob.delete_filter_keyword_v2(word.id)
    assert bob.filter_v2(made.id).keywords == [] and bob.filter_v2(made.id).statuses == []
    later = bob.update_filter_v2(made.id, title="more", context=["public"], expires_in=3600)
    assert (later.title, later.context) == ("more", ["public"]) and later.expires_at
    for act in [
        lambda: alice.filter_v2(made.id),
        lambda: alice.update_filter_v2(made.id, title="mine"),
        lambda: alice.delete_filter_v2(made.id),
        lambda: alice.add_filter_keyword_v2(made.id, "x"),
        lambda: bob.filter_v2("1"),
        lambda: bob.delete_filter_keyword_v2(word.id),
    ]:
        with refused(404):
            act()
    bob.delete_filter_v2(made.id)
    assert bob.filters_v2() == []


def test_words_are_changed_and_removed_with_their_filter(bob):
    made = bob.create_filter_v2("words", ["home"], "warn", keywords_attributes=[{"keyword": "a"}, {"keyword": "b"}])
    one, two = made.keywords
    words = [{"id": str(one.id), "_destroy": True}, {"id": str(two.id), "keyword": "c"}, {"keyword": "d"}]
    changed = call(bob, "PUT", f"/api/v2/filters/{made.id}", json={"keywords_attributes": words}).json()
    assert [word["keyword"] for word in changed["keywords"]] == ["c", "d"] and changed["keywords"][0]["id"] == str(two.id)


def test_a_filter_ends_by_itself(alice, bob):
    follow((bob, alice))
    words = [{"keyword": "cat", "whole_word": True}]
    post = alice.status_post("a cat")
    bob.create_filter_v2("for a moment", ["home"], "hide", expires_in=1, keywords_attributes=words)
    eventually("shown again", lambda: ids(bob.timeline_home()) == [post.id])


def test_a_post_that_cannot_be_seen_is_not_filtered(alice, bob):
    secret = alice.status_post("secret", visibility="direct")
    made = bob.create_filter_v2("parts", ["home"], "warn")
    with refused(404):
        bob.add_filter_status_v2(made.id, secret.id)


def test_filters_in_their_first_form(alice, bob):
    made = bob.filter_create("cat", ["home", "thread"], irreversible=False, whole_word=True, expires_in=3600)
    assert (made.phrase, set(made.context), made.irreversible, made.whole_word) == ("cat", {"home", "thread"}, False, True)
    assert made.expires_at and bob.filter(made.id).phrase == "cat" and len(bob.filters()) == 1
    second = bob.filters_v2()[0]
    assert [word.keyword for word in second.keywords] == ["cat"] and second.filter_action == "warn"
    changed = bob.filter_update(made.id, phrase="dog", context=["home"], irreversible=True)
    assert (changed.phrase, changed.irreversible) == ("dog", True) and bob.filters_v2()[0].filter_action == "hide"
    with refused(404):
        alice.filter(made.id)
    bob.filter_delete(made.id)
    assert bob.filters() == [] and bob.filters_v2() == []


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"title": "x"},
        {"title": "", "context": ["home"]},
        {"title": "x", "context": []},
        {"title": "x", "context": ["nowhere"]},
        {"title": "x", "context": ["home"], "filter_action": "burn"},
        {"title": "x", "context": ["home"], "keywords_attributes": [{"keyword": ""}]},
        {"title": "x", "context": ["home"], "keywords_attributes": [{"keyword": "x" * 513}]},
    ],
)
def test_what_is_no_filter_is_refused(alice, asked):
    assert call(alice, "POST", "/api/v2/filters", json=asked).status_code == 422
