"""A first conversation on the feed, with Mastodon.py: `make run` in one terminal, this in another."""

import itertools
import sys
import time

from mastodon import Mastodon

BASE = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8080"
SCOPES = ["read", "write", "follow"]

app = Mastodon.create_app("First post", api_base_url=BASE, scopes=SCOPES)


def join(name: str) -> Mastodon:
    """Somebody new, under a name that nobody has yet."""
    client, name = Mastodon(*app, api_base_url=BASE), f"{name}{int(time.time())}"
    client.create_account(name, "correct horse", f"{name}@example.org", agreement=True, scopes=SCOPES)
    print(f"@{name} joined {client.instance().title}")
    return client


alice, bob = join("alice"), join("bob")
bob.account_follow(alice.me())
post = alice.status_post("Hello #world, hello @" + bob.me().username)
bob.status_favourite(post)
bob.status_post("Hello back", in_reply_to_id=post)

print("\nBob's home:")
for status in bob.timeline_home():
    print(f"  @{status.account.acct}: {status.content}")

print("\nWhat Alice was told:")
for notification in alice.notifications():
    print(f"  {notification.type} by @{notification.account.acct}")

print("\nWho else is here:")
for status in itertools.islice(alice.timeline_public(), 3):
    print(f"  @{status.account.acct}: {status.content}")
