"""`kill -9` in the middle of everything: what was answered is there after the restart, once, and nothing else is wrong."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from mastodon import MastodonNetworkError

from clients.mastodon_client import eventually, follow, ids
from decalog_server import decalog

ROUNDS = 3


class Storm:
    """Each of these goes on until the server is gone, and remembers what was answered."""

    def __init__(self, people):
        self.authors = [people.join("author") for _ in range(3)]
        self.reader, self.liker = people.join("reader"), people.join("liker")
        self.fans = [people.join("fan") for _ in range(12)]
        self.posted = {author.me_id: [] for author in self.authors}
        self.followed, self.liked = [], []
        follow(*((self.reader, author) for author in self.authors))

    def post(self, author) -> None:
        """Posts one after the other; what was not answered is sent again with its key, by the next call."""
        done = self.posted[author.me_id]
        while True:
            number = len(done)
            done.append(author.status_post(f"number {number}", idempotency_key=f"key {number}").id)

    def like(self) -> None:
        """Likes some of what was posted."""
        while True:
            new = [post for posts in self.posted.values() for post in posts[-2:] if post not in self.liked]
            for post in new:
                self.liker.status_favourite(post)
                self.liked.append(post)
            time.sleep(0 if new else 0.01)  # poll

    def be_fans(self) -> None:
        """Follows the first author."""
        for fan in self.fans[len(self.followed) : len(self.followed) + len(self.fans) // ROUNDS]:
            fan.account_follow(self.authors[0].me_id)
            self.followed.append(fan.me_id)

    def run(self, server) -> None:
        """All of it at once; killed when each author has posted some."""
        posted, liked = sum(map(len, self.posted.values())), len(self.liked)

        def until_killed(act, *arguments):
            try:
                act(*arguments)
            except MastodonNetworkError:
                pass

        with ThreadPoolExecutor(8) as pool:
            ends = [pool.submit(until_killed, self.post, author) for author in self.authors]
            ends += [pool.submit(until_killed, self.like), pool.submit(until_killed, self.be_fans)]
            enough = lambda: sum(map(len, self.posted.values())) >= posted + 40 and len(self.liked) >= liked + 5
            try:
                eventually("a storm", lambda: enough() or any(end.done() and end.exception() for end in ends))
            finally:
                server.kill()
            for end in ends:
                end.result(60)
        server.start()

    def finish_what_was_not_answered(self) -> None:
        """Sends again what got no answer, with the same key: it counts once."""
        for author in self.authors:
            done = self.posted[author.me_id]
            number = len(done)
            done.append(author.status_post(f"number {number}", idempotency_key=f"key {number}").id)


@pytest.fixture(scope="module")
def storm(feed, people) -> Storm:
    """Three rounds of it."""
    storm = Storm(people)
    for _ in range(ROUNDS):
        storm.run(feed)
        storm.finish_what_was_not_answered()
    return storm


def all_of(client, first) -> list:
    """Ids of all pages."""
    return ids(client.fetch_remaining(first)) if first else []


def test_each_post_is_there_once(storm, nobody):
    for author in storm.authors:
        rows = nobody.fetch_remaining(nobody.account_statuses(author.me_id, limit=40))
        posted = storm.posted[author.me_id]
        assert ids(rows) == posted[::-1], "in the order in which they were posted"
        assert [row.content for row in rows] == [f"<p>number {n}</p>" for n in range(len(posted))][::-1]
        assert nobody.account(author.me_id).statuses_count == len(posted)


def test_home_timelines_are_right(storm):
    everything = sorted((post for posts in storm.posted.values() for post in posts), key=int, reverse=True)
    eventually("all at home", lambda: all_of(storm.reader, storm.reader.timeline_home(limit=40)) == everything)
    for author in storm.authors:
        mine = all_of(author, author.timeline_home(limit=40))
        assert mine == storm.posted[author.me_id][::-1]


def test_each_follow_is_there_once(storm, nobody):
    author = storm.authors[0]
    for fan in storm.fans:
        if fan.me_id in storm.followed:
            assert fan.account_relationships(author.me_id)[0].following
    # One that got no answer may count or not, but both sides must say the same.
    said = {fan.me_id for fan in storm.fans if fan.account_relationships(author.me_id)[0].following}
    said |= {storm.reader.me_id}
    followers = lambda: sorted(all_of(nobody, nobody.account_followers(author.me_id)))
    eventually("both sides say so, each once", lambda: followers() == sorted(said))
    assert eventually("counted", lambda: nobody.account(author.me_id).followers_count == len(said))
    told = [row.account.id for row in author.notifications(types=["follow"], limit=80)]
    assert len(told) == len(set(told)) and set(storm.followed) <= set(told)


def test_each_like_is_there_once(storm, nobody):
    kept = all_of(storm.liker, storm.liker.favourites(limit=40))
    assert len(kept) == len(set(kept)) and set(storm.liked) <= set(kept)
    for post in storm.liked:
        assert storm.liker.status(post).favourited
        eventually("counted", lambda post=post: nobody.status(post).favourites_count == 1)


def test_what_comes_after_goes_on(storm):
    post = storm.authors[0].status_post("after all")
    storm.posted[storm.authors[0].me_id].append(post.id)
    eventually("at home", lambda: storm.reader.timeline_home()[0].id == post.id)
    assert storm.authors[0].status_post("number 0", idempotency_key="key 0").id in storm.posted[storm.authors[0].me_id]


def test_the_log_is_whole(storm, feed):
    """At the end, with the server stopped."""
    assert feed.stop() == 0
    checked = decalog("log", "verify", feed.data)
    feed.start()
    assert checked.returncode == 0, checked.stdout + checked.stderr
