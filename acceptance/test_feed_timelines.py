"""What stands in the feed's timelines, in which order, and how one pages through it."""

import re

import pytest

from clients.mastodon_client import call, eventually, follow, ids, refused


def home_has(client, *posts) -> None:
    """Waits until these are at home."""
    wanted = {post.id for post in posts}
    eventually("at home", lambda: wanted <= set(ids(client.timeline_home(limit=40))))


def tagged(client, tag: str, **keys) -> list:
    """Ids of a tag's timeline, with parameters that Mastodon.py has not."""
    return [int(row["id"]) for row in call(client, "GET", f"/api/v1/timelines/tag/{tag}", params=keys).json()]


def listed(rows) -> list:
    """Ids as numbers, which the raw answers have as texts."""
    return [int(row.id) for row in rows]


def test_what_is_posted_arrives_at_home_and_leaves_it(alice, bob):
    old = alice.status_post("before")
    assert bob.timeline_home() == []
    follow((bob, alice))
    assert ids(bob.timeline_home()) == [old.id], "what was posted before is there"
    new = alice.status_post("after")
    home_has(bob, new)
    assert ids(bob.timeline_home()) == [new.id, old.id] and ids(alice.timeline_home()) == [new.id, old.id]
    alice.status_delete(old.id)
    eventually("gone", lambda: ids(bob.timeline_home()) == [new.id])
    changed = alice.status_update(new.id, "after all")
    eventually("changed", lambda: bob.timeline_home()[0].content == changed.content)
    bob.account_unfollow(alice.me_id)
    assert bob.timeline_home() == []


def test_reblogs_at_home(alice, bob, people):
    carol = people.join("carol")
    follow((bob, alice))
    post = carol.status_post("carol's")
    shared = alice.status_reblog(post.id)
    home_has(bob, shared)
    assert bob.timeline_home()[0].reblog.id == post.id
    bob.account_follow(alice.me_id, reblogs=False)
    assert bob.timeline_home() == []
    own = alice.status_post("alice's own")
    home_has(bob, own)
    bob.account_follow(alice.me_id, reblogs=True)
    assert ids(bob.timeline_home()) == [own.id, shared.id]
    alice.status_unreblog(post.id)
    eventually("gone", lambda: ids(bob.timeline_home()) == [own.id])


def test_answers_to_strangers_stay_away(alice, bob, people):
    carol = people.join("carol")
    follow((bob, alice))
    root = carol.status_post("carol's")
    to_stranger = alice.status_reply(root, "to somebody bob does not know")
    own_root = alice.status_post("own")
    to_self = alice.status_post("and then", in_reply_to_id=own_root.id)
    bobs = bob.status_post("bob's")
    to_bob = alice.status_reply(bobs, "to bob")
    home_has(bob, to_self, to_bob, own_root)
    assert to_stranger.id not in ids(bob.timeline_home())
    follow((bob, carol))
    assert to_stranger.id in ids(bob.timeline_home()), "now both are known"


@pytest.mark.parametrize("visibility, seen", [("public", True), ("unlisted", True), ("private", True), ("direct", False)])
def test_which_posts_come_home(alice, bob, visibility, seen):
    follow((bob, alice))
    post = alice.status_post("post", visibility=visibility)
    after = alice.status_post("after")
    home_has(bob, after)
    assert (post.id in ids(bob.timeline_home())) == seen and post.id in ids(alice.timeline_home())


def test_exclusive_lists_keep_their_posts(alice, bob):
    follow((bob, alice))
    made = bob.list_create("apart", exclusive=True)
    bob.list_accounts_add(made.id, [alice.me_id])
    post = alice.status_post("in a list")
    eventually("in the list", lambda: ids(bob.timeline_list(made.id)) == [post.id])
    assert bob.timeline_home() == []
    bob.list_update(made.id, "apart", exclusive=False)
    assert ids(bob.timeline_home()) == [post.id]
    bob.list_update(made.id, "apart", exclusive=True)
    assert bob.timeline_home() == []
    bob.list_delete(made.id)
    assert ids(bob.timeline_home()) == [post.id]


def test_followed_tags_come_home(alice, bob):
    tag = "home" + alice.name
    before = alice.status_post(f"#{tag}")
    bob.tag_follow(tag.upper())
    assert ids(bob.timeline_home()) == [before.id]
    after = alice.status_post(f"more #{tag.title()}")
    home_has(bob, after)
    unlisted = alice.status_post(f"aside #{tag}", visibility="unlisted")
    private = alice.status_post(f"for few #{tag}", visibility="private")
    last = alice.status_post(f"last #{tag}")
    home_has(bob, last)
    assert not {unlisted.id, private.id} & set(ids(bob.timeline_home()))
    bob.account_mute(alice.me_id)
    assert bob.timeline_home() == []
    bob.account_unmute(alice.me_id)
    bob.tag_unfollow(tag)
    assert bob.timeline_home() == []


def test_the_public_timeline(alice, bob, nobody):
    root = alice.status_post("public")
    others = [alice.status_post("x", visibility=visibility) for visibility in ["unlisted", "private", "direct"]]
    answer = bob.status_reply(root, "an answer")
    thread = alice.status_post("own thread", in_reply_to_id=root.id)
    shared = bob.status_reblog(root.id)
    seen = ids(nobody.timeline_public(limit=40))
    assert seen.index(thread.id) < seen.index(root.id), "the newest first"
    assert not {post.id for post in [*others, answer, shared]} & set(seen)
    assert ids(nobody.timeline_local(limit=1)) == [thread.id] and nobody.timeline_public(remote=True) == []
    assert nobody.timeline_public(only_media=True) == []
    bob.account_mute(alice.me_id)
    assert not {root.id, thread.id} & set(ids(bob.timeline_public(limit=40)))
    bob.account_unmute(alice.me_id)
    bob.account_block(alice.me_id)
    assert root.id not in ids(bob.timeline_public(limit=40)) and root.id not in ids(alice.timeline_public(limit=1))


def test_tag_timelines(alice, nobody):
    a, b = "a" + alice.name, "b" + alice.name
    one, both, other = (alice.status_post(text).id for text in [f"#{a}", f"#{a} #{b.upper()}", f"#{b}"])
    unlisted = alice.status_post(f"#{a}", visibility="unlisted")
    answer = alice.status_post(f"#{a} answer", in_reply_to_id=one)
    assert ids(nobody.timeline_hashtag(a.upper())) == [answer.id, both, one]
    assert unlisted.id not in ids(nobody.timeline_hashtag(a)), "who does not list it does not list it"
    rest = [int(post) for post in [answer.id, both, one]]
    one, both, other = int(one), int(both), int(other)
    assert tagged(nobody, a, **{"any[]": b}) == sorted([*rest, other], reverse=True)
    assert tagged(nobody, a, **{"all[]": b}) == [both]
    assert tagged(nobody, a, **{"none[]": b}) == [int(answer.id), one]
    assert tagged(nobody, a, **{"any[]": b, "none[]": a}) == [other]
    assert tagged(nobody, a, only_media=True) == []
    assert tagged(nobody, a, local=True) == rest and tagged(nobody, a, limit=1) == rest[:1]
    assert tagged(nobody, "nothing-of-the-kind") == []


def test_nothing_of_a_tag_comes_from_elsewhere(alice, nobody):
    alice.status_post(f"#t{alice.name}")
    assert tagged(nobody, "t" + alice.name, remote=True) == []


@pytest.mark.parametrize("policy, shown", [("none", ""), ("list", "m"), ("followed", "mf")])
def test_which_answers_lists_show(people, policy, shown):
    reader, author, member, followed, stranger = (people.join(name) for name in "ramfs")
    follow((reader, author), (reader, member), (reader, followed))
    made = reader.list_create("a list", replies_policy=policy)
    reader.list_accounts_add(made.id, [author.me_id, member.me_id])
    answers = {name: author.status_reply(who.status_post("root"), "answer").id for name, who in zip("mfs", [member, followed, stranger])}
    to_self = author.status_post("own", in_reply_to_id=author.status_post("root").id)
    to_reader = author.status_reply(reader.status_post("root"), "to the reader")
    seen = ids(reader.timeline_list(made.id, limit=40))
    assert {name for name, post in answers.items() if post in seen} == set(shown)
    assert to_self.id in seen
    if policy != "none":
        assert to_reader.id in seen
    assert not [row for row in reader.timeline_list(made.id, limit=40) if row.account.id not in (author.me_id, member.me_id)]


def test_lists_show_what_their_members_post(alice, bob, people):
    follow((bob, alice))
    made = bob.list_create("a list")
    bob.list_accounts_add(made.id, [alice.me_id])
    carols = people.join("carol").status_post("carol's")
    posts = [alice.status_post("x", visibility=visibility).id for visibility in ["public", "unlisted", "private", "direct"]]
    shared = alice.status_reblog(carols.id)
    eventually("all", lambda: ids(bob.timeline_list(made.id)) == [shared.id, *posts[2::-1]])
    bob.account_follow(alice.me_id, reblogs=False)
    assert ids(bob.timeline_list(made.id)) == posts[2::-1]
    first = bob.timeline_list(made.id, limit=2)
    assert ids(bob.fetch_remaining(first)) == posts[2::-1]


def test_what_an_account_wrote(alice, bob, nobody):
    tag = "t" + alice.name
    root = alice.status_post(f"root #{tag}")
    own = alice.status_post("thread", in_reply_to_id=root.id)
    answer = alice.status_reply(bob.status_post("bob's"), "answer")
    shared = alice.status_reblog(bob.status_post("bob's, too").id)
    unlisted = alice.status_post("aside", visibility="unlisted")
    private = alice.status_post(f"for few #{tag}", visibility="private")
    direct = alice.status_post(f"for @{bob.name}", visibility="direct")
    listing = lambda who, **keys: ids(who.account_statuses(alice.me_id, **keys))
    every = [unlisted.id, shared.id, answer.id, own.id, root.id]
    assert listing(nobody) == every
    assert listing(alice) == [direct.id, private.id, *every] and listing(bob) == [direct.id, *every]
    assert listing(nobody, exclude_replies=True) == [unlisted.id, shared.id, own.id, root.id]
    assert listing(nobody, exclude_reblogs=True) == [unlisted.id, answer.id, own.id, root.id]
    assert listing(nobody, exclude_reblogs=True, exclude_replies=True) == [unlisted.id, own.id, root.id]
    assert listing(nobody, tagged=tag) == [root.id] and listing(nobody, only_media=True) == []
    assert listing(nobody, limit=2, exclude_reblogs=True) == [unlisted.id, answer.id]
    follow((bob, alice))
    assert listing(bob) == [direct.id, private.id, *every]
    with refused(404):
        nobody.account_statuses("1")


def test_pages_lead_through_everything_once(alice, nobody, bob):
    follow((bob, alice))
    posts = [alice.status_post(f"number {n} #p{alice.name}").id for n in range(25)]
    home_has(bob, alice.status(posts[-1]))
    listings = [
        bob.timeline_home,
        lambda **keys: nobody.account_statuses(alice.me_id, **keys),
        lambda **keys: nobody.timeline_hashtag("p" + alice.name, **keys),
    ]
    for listing in listings:
        first = listing(limit=10)
        assert ids(first) == posts[:14:-1] and ids(bob.fetch_remaining(first)) == posts[::-1]
        second = bob.fetch_next(first)
        assert ids(second) == posts[5:15][::-1] and ids(bob.fetch_previous(second)) == ids(first)
        third = bob.fetch_next(second)
        assert ids(third) == posts[4::-1]
        assert ids(listing(max_id=posts[3])) == posts[2::-1]
        assert ids(listing(min_id=posts[3], limit=2)) == posts[5:3:-1], "the next ones"
        assert ids(listing(since_id=posts[3], limit=2)) == posts[:22:-1], "the newest ones"
        assert ids(listing(since_id=posts[3], max_id=posts[6])) == posts[5:3:-1]
        assert ids(listing(min_id=posts[-1])) == [] and ids(listing(max_id=posts[0])) == []
        assert len(listing(limit=1_000)) == 25 and len(listing()) == 20


def test_older_pages_are_filled_with_what_is_wanted(alice, bob, people):
    """Whatever an account answers to strangers in between, what is before it can be reached."""
    stranger = people.join("stranger").status_post("root")
    follow((bob, alice))
    old = [alice.status_post(f"old {n}").id for n in range(3)]
    for n in range(6):
        alice.status_reply(stranger, f"answer {n}")
    new = alice.status_post("new")
    home_has(bob, new)
    path, found = "/api/v1/timelines/home?limit=2", []
    while path:
        answer = call(bob, "GET", path)
        found += [row["id"] for row in answer.json()]
        more = re.search(r'<([^>]+)>; rel="next"', answer.headers.get("link", ""))
        path = more and more.group(1).removeprefix(bob.api_base_url)
    assert found == [str(post) for post in [new.id, *old[::-1]]]


def test_cursors_stay_when_what_they_name_is_gone(alice, nobody):
    posts = [alice.status_post(f"number {n}").id for n in range(6)]
    first = nobody.account_statuses(alice.me_id, limit=3)
    for post in posts[2:5]:
        alice.status_delete(post)
    assert ids(nobody.fetch_next(first)) == posts[1::-1]
    assert ids(nobody.account_statuses(alice.me_id, max_id=posts[3])) == posts[1::-1]


def test_what_is_hidden_ends_no_page(alice, bob):
    """Pages much of which is not for the reader still lead on."""
    tag = "q" + alice.name
    seen = alice.status_post(f"#{tag}")
    for n in range(5):
        bob.status_post(f"{n} #{tag}")
    alice.account_mute(bob.me_id)
    path, found = f"/api/v1/timelines/tag/{tag}?limit=2", []
    while path:
        answer = call(alice, "GET", path)
        found += [row["id"] for row in answer.json()]
        more = re.search(r'<([^>]+)>; rel="next"', answer.headers.get("link", ""))
        path = more and more.group(1).removeprefix(alice.api_base_url)
    assert found == [str(seen.id)]


def test_followers_by_pages(people, nobody):
    author = people.join("author")
    followers = [people.join("f") for _ in range(5)]
    for one in followers:
        one.account_follow(author.me_id)
    first = nobody.account_followers(author.me_id, limit=2)
    everybody = nobody.fetch_remaining(first)
    assert ids(everybody) == [one.me_id for one in followers[::-1]]
    second = nobody.fetch_next(first)
    assert ids(nobody.fetch_previous(second)) == ids(first)
    link = call(nobody, "GET", f"/api/v1/accounts/{author.me_id}/followers", params={"limit": 2}).headers["link"]
    assert nobody.api_base_url in link and "limit=2" in link
