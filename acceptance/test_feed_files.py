"""Where the feed's files lie: in S3, as somebody else's server keeps it; what is removed there, and what a stop interrupts."""

import pytest

from clients.mastodon_client import HTTP, call, eventually, feed_server
from clients.object_store import BUCKET, ObjectStore
from clients.pictures import film, png


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    started = ObjectStore(tmp_path_factory.mktemp("s3") / "moto.log").start()
    yield started
    started.kill()


@pytest.fixture(scope="module")
def feed(tmp_path_factory, store):
    """A server whose files lie in the bucket, and that is quick to remove what nobody refers to."""
    server = feed_server(tmp_path_factory.mktemp("files"))
    server.environment["S3_SECRET"] = "test-secret"
    more = f"""
[blobs]
bucket = "{BUCKET}"
endpoint = "{store.url}"
access_key = "test"
secret_environment = "S3_SECRET"
grace = "12s"
collect_every = "4s"
[resilience]
breaker_seconds = 1
"""
    server.config.write_text(server.config.read_text() + more)
    server.start()
    yield server
    server.finish()


def upload(client):
    return client.media_post(png(), "image/png", synchronous=True)


def status(address: str) -> int:
    return HTTP.get(address).status_code


def test_files_lie_in_the_bucket(feed, store, alice):
    media = upload(alice)
    answer = HTTP.get(media.url)
    assert answer.status_code == 200 and answer.headers["content-type"] == "image/png"
    part = HTTP.get(media.url, headers={"range": "bytes=1-3"})
    assert (part.status_code, part.content) == (206, answer.content[1:4])
    name = media.url.rsplit("/", 1)[1].split(".")[0]
    assert any(key.startswith("feed/blobs/") and name in key for key in store.keys())
    assert not (feed.data / "blobs").exists()


def test_what_nobody_refers_to_is_removed(alice, bob):
    portrait = lambda: bob.account_update_credentials(avatar=png(), avatar_mime_type="image/png").avatar
    before, after = portrait(), portrait()
    kept, redraft, removed, waiting = (upload(alice) for _ in range(4))
    post = alice.status_post("kept", media_ids=[kept])
    alice.status_delete(alice.status_post("to be written anew", media_ids=[redraft]).id)
    assert call(alice, "DELETE", f"/api/v1/media/{removed.id}").status_code == 200
    for address in [before, removed.url]:
        eventually("removed", lambda address=address: status(address) == 404, timeout=60)
    for address in [after, post.media_attachments[0].url, post.media_attachments[0].preview_url, waiting.url, redraft.url]:
        assert status(address) == 200, "what is used stays"


def test_a_conversion_that_a_kill_interrupts_is_done_after_the_start(feed, alice, tmp_path):
    # As long as it takes that the answer does not wait for it.
    for seconds in [4, 8, 16, 32, 64]:
        path = film(tmp_path / f"{seconds}.mov", seconds, "1280x720")
        answer = call(alice, "POST", "/api/v2/media", files={"file": path.read_bytes()}, data={"focus": "0.5,-0.5"})
        if answer.status_code == 202:
            break
    assert answer.status_code == 202 and answer.json()["url"] is None, answer.text
    media = answer.json()["id"]
    feed.kill()
    feed.start()
    ask = lambda: call(alice, "GET", f"/api/v1/media/{media}")
    assert ask().status_code in (200, 206)
    eventually("done", lambda: ask().status_code == 200, timeout=240)
    made = ask().json()
    assert made["type"] == "video" and made["meta"]["focus"] == {"x": 0.5, "y": -0.5}
    post = alice.status_post("a film", media_ids=[media])
    assert status(post.media_attachments[0].url) == 200


def test_a_blob_store_that_is_gone_leaves_everything_but_files(store, alice, bob):
    media = upload(alice)
    post = alice.status_post("with a picture", media_ids=[media])
    address = post.media_attachments[0].url
    store.kill()
    answer = HTTP.get(address)
    assert answer.status_code == 503 and "file" in answer.json()["error"]
    refused = HTTP.post(
        alice.api_base_url + "/api/v2/media",
        headers={"authorization": f"Bearer {alice.access_token}"},
        files={"file": png()},
    )
    assert refused.status_code == 503 and refused.headers["retry-after"]
    assert bob.status(post.id).media_attachments[0].url == address
    assert alice.status_post("without one").id in [row.id for row in alice.timeline_home()]
    store.start()
    eventually("it is asked again", lambda: status(address) == 404, timeout=30)
    again = eventually("it is written to again", lambda: uploaded(alice), timeout=30)
    assert status(again) == 200


def uploaded(client) -> str | None:
    """The address of an upload, if it is taken."""
    answer = HTTP.post(
        client.api_base_url + "/api/v2/media",
        headers={"authorization": f"Bearer {client.access_token}"},
        files={"file": png()},
    )
    return answer.json()["url"] if answer.status_code == 200 else None
