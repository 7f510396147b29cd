"""What somebody takes along from the feed, and that nothing of them is left when identity erases them: in no answer, no row
and no file, through kill -9, exactly once, and never back from an older backup."""

import csv
import io
import json
import os
import shutil
import tarfile
import time
from pathlib import Path

import httpx
import pytest

from clients.account import Account
from clients.mastodon_client import HTTP, Crowd, call, eventually, feed_server, follow, ids, refused
from decalog_server import PASSWORD, Server
from test_feed_notices import png

WORD = "a-word-like-no-other"
PATIENCE = 120.0


@pytest.fixture
def server(tmp_path: Path) -> Server:
    """A server that forgets within seconds."""
    server = feed_server(tmp_path / "server")
    window = '[server]\nerasure_window = "24s"\nsegment_mebibytes = 1\n[blobs]\ngrace = "8s"\ncollect_every = "4s"\n'
    server.config.write_text(window + server.config.read_text())
    yield server.start()
    server.finish()


def holding(server: Server, word: bytes) -> set[str]:
    """The files of the data directory that hold these bytes."""
    found = set()
    # Folders come and go, too.
    for folder, _, names in os.walk(server.data):
        for path in (Path(folder) / name for name in names):
            try:
                if word in path.read_bytes():
                    found.add(str(path.relative_to(server.data)))
            except FileNotFoundError:
                pass  # It was dropped meanwhile.
    return found


def erase(server: Server, client) -> None:
    """Somebody leaves."""
    account = Account(server, client.name, PASSWORD)
    assert account.call("DELETE", "/v1/me/account", json={"password": PASSWORD}).status_code == 204


def settle(people: Crowd):
    """Somebody who has done all that one can do, among others; and two others."""
    leaver, friend, other = people.join("leaver"), people.join("friend"), people.join("other")
    picture = leaver.media_post(io.BytesIO(png(40, 30)), mime_type="image/png", description=f"{WORD} picture")
    leaver.account_update_credentials(display_name=f"{WORD} name", note=f"{WORD} note", avatar=png(), avatar_mime_type="image/png")
    follow((leaver, friend), (friend, leaver), (other, leaver))
    post = leaver.status_post(f"{WORD} post #{WORD.replace('-', '')}", media_ids=[picture.id])
    leaver.status_update(post.id, f"{WORD} changed", media_ids=[picture.id])
    liked = friend.status_post("liked", poll=friend.make_poll(["yes", "no"], 3600))
    leaver.status_favourite(liked.id)
    leaver.status_reblog(liked.id)
    leaver.poll_vote(liked.poll.id, [0])
    leaver.status_reply(liked, f"{WORD} answer")
    leaver.status_post(f"@{friend.name} {WORD} secret", visibility="direct")
    leaver.list_create(f"{WORD} list")
    leaver.account_note_set(other.me_id, f"{WORD} note")
    leaver.report(other.me_id, comment=f"{WORD} complaint")
    friend.status_favourite(post.id)
    friend.account_note_set(leaver.me_id, f"{WORD} of a friend")
    eventually("told", lambda: len(friend.notifications(account_id=leaver.me_id)) >= 5)
    return leaver, friend, other, post, liked, picture


def test_an_archive_has_all_that_is_ones_own(feed, people):
    leaver, friend, other, post, liked, picture = settle(people)
    leaver.account_mute(other.me_id, notifications=True)
    leaver.domain_block("one.example")
    leaver.status_bookmark(liked.id)
    members = leaver.list_create("friends").id
    leaver.list_accounts_add(members, [friend.me_id])
    answer = call(leaver, "GET", "/api/v1/exports/archive.tar")
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/x-tar"
    archive = tarfile.open(fileobj=io.BytesIO(answer.content))
    files = {member.name: archive.extractfile(member).read() for member in archive}
    posts = [post for name in files if name.startswith("posts/") for post in json.loads(files[name])]
    assert {one["id"] for one in posts} == {str(one["id"]) for one in call(leaver, "GET", f"/api/v1/accounts/{leaver.me_id}/statuses").json()}
    assert next(one for one in posts if one["id"] == str(post.id))["text"] == f"{WORD} changed"
    assert json.loads(files["profile.json"])["display_name"] == f"{WORD} name"
    domain = httpx.URL(feed.url).netloc.decode()
    rows = {name: list(csv.reader(io.StringIO(text.decode()))) for name, text in files.items() if name.endswith(".csv")}
    assert rows["following_accounts.csv"] == [
        ["Account address", "Show boosts", "Notify on new posts", "Languages"],
        [f"{friend.name}@{domain}", "true", "false", ""],
    ]
    assert rows["muted_accounts.csv"][1:] == [[f"{other.name}@{domain}", "true"]]
    assert {row[0] for row in rows["followers.csv"][1:]} == {f"{friend.name}@{domain}", f"{other.name}@{domain}"}
    assert rows["blocked_domains.csv"] == [["one.example"]] and rows["blocked_accounts.csv"] == []
    assert rows["lists.csv"] == [["friends", f"{friend.name}@{domain}"]]
    assert rows["bookmarks.csv"] == [[liked.uri]] and json.loads(files["likes.json"]) == [liked.uri]
    blob = leaver.status(post.id).media_attachments[0].url.rsplit("/", 1)[1]
    assert files[f"media/{blob}"] == HTTP.get(leaver.status(post.id).media_attachments[0].url).content
    one = call(leaver, "GET", "/api/v1/exports/following_accounts.csv")
    assert one.text.encode() == files["following_accounts.csv"] and one.headers["content-type"].startswith("text/csv")
    assert call(leaver, "GET", "/api/v1/exports/passwords.csv").status_code == 404
    assert call(people.nobody(), "GET", "/api/v1/exports/archive.tar").status_code == 401


def test_an_erased_account_is_nowhere(server, tmp_path):
    people = Crowd(server)
    leaver, friend, other, post, liked, picture = settle(people)
    url = post.media_attachments[0].url
    assert {Path(path).parts[0] for path in holding(server, WORD.encode())} >= {"journal", "feed"}
    assert server.stop() == 0
    backup = shutil.copytree(server.data, tmp_path / "backup")
    server.start()

    erase(server, leaver)
    server.kill()
    server.start()
    check_gone(people, leaver, friend, other, post, liked)
    friend.account_note_set(other.me_id, "x")
    wait_until_forgotten(server, WORD.encode(), url)
    check_gone(people, leaver, friend, other, post, liked)

    assert server.stop() == 0
    shutil.rmtree(server.data)
    shutil.copytree(backup, server.data)
    assert holding(server, WORD.encode()), "the backup has it"
    server.start()
    check_gone(people, leaver, friend, other, post, liked)
    wait_until_forgotten(server, WORD.encode(), url)


def check_gone(people, leaver, friend, other, post, liked) -> None:
    """Nobody finds anything of them, and what is counted is counted without them."""
    with refused(404):
        friend.account(leaver.me_id)
    with refused(404):
        friend.status(post.id)
    with refused(404):
        people.nobody().account_lookup(leaver.name)
    assert call(leaver, "GET", "/api/v1/timelines/home").status_code == 401

    def seen():
        shown = friend.status(liked.id)
        return {
            "likes": shown.favourites_count,
            "reblogs": shown.reblogs_count,
            "answers": shown.replies_count,
            "votes": shown.poll.votes_count,
            "followers": friend.account(friend.me_id).followers_count,
            "following": friend.account(friend.me_id).following_count + other.account(other.me_id).following_count,
            "told": len(friend.notifications(account_id=leaver.me_id)),
            "talks": len(friend.conversations()) + len(friend.notification_requests()),
            "found": len(friend.search_v2(WORD, resolve=False).statuses) + len(ids(friend.account_search(leaver.name))),
            "home": int(post.id in ids(friend.timeline_home())),
        }

    eventually("counted without them", lambda: not any(seen().values()), timeout=60)


def wait_until_forgotten(server: Server, word: bytes, url: str) -> None:
    """Until no file has the word, and the attachment is gone."""
    deadline = time.monotonic() + PATIENCE
    while (left := holding(server, word)) or HTTP.get(url).status_code != 404:
        assert time.monotonic() < deadline, f"left in {left}, {HTTP.get(url).status_code}"
        time.sleep(0.1)
