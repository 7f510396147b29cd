"""Which notifications are kept apart on the feed, and what is decided about those whom they are from."""

import pytest

from clients.mastodon_client import HTTP, call, eventually, follow, ids, refused

POLICY = "/api/v2/notifications/policy"
RULES = ["for_not_following", "for_not_followers", "for_new_accounts", "for_private_mentions", "for_limited_accounts"]


def requests(client, count: int) -> list:
    """Waits for so many requests."""
    return eventually(f"{count} requests", lambda: len(found := client.notification_requests()) == count and found)


def pending(client) -> tuple[int, int]:
    """What a policy's summary counts."""
    summary = client.notifications_policy().summary
    return summary.pending_requests_count, summary.pending_notifications_count


def test_a_policy_is_what_was_set_and_private_mentions_of_strangers_are_kept_apart_unless_said_otherwise(alice):
    usual = alice.notifications_policy()
    assert [usual[rule] for rule in RULES] == ["accept", "accept", "accept", "filter", "filter"]
    assert usual.summary == {"pending_requests_count": 0, "pending_notifications_count": 0}
    changed = alice.update_notifications_policy(for_not_following="filter", for_private_mentions="drop")
    assert [changed[rule] for rule in RULES] == ["filter", "accept", "accept", "drop", "filter"]
    assert alice.notifications_policy() == changed
    with refused(422, said="banana"):
        alice.update_notifications_policy(for_new_accounts="banana")
    older = call(alice, "GET", "/api/v1/notifications/policy").json()
    assert set(older) == {f"filter_{rule[4:]}" for rule in RULES[:-1]} | {"summary"}
    assert older["filter_not_following"] is older["filter_private_mentions"] is True and older["filter_new_accounts"] is False
    for method in ["PUT", "PATCH"]:
        older = call(alice, method, "/api/v1/notifications/policy", data={"filter_not_following": "false"}).json()
        assert older["filter_not_following"] is False
    assert alice.notifications_policy().for_not_following == "accept"


@pytest.mark.parametrize("rule", ["for_not_following", "for_not_followers", "for_new_accounts"])
@pytest.mark.parametrize("treatment", ["accept", "filter", "drop"])
def test_what_a_stranger_does_is_told_as_the_policy_says(alice, bob, rule, treatment):
    alice.update_notifications_policy(**{rule: treatment})
    post = alice.status_post("hello")
    bob.status_favourite(post.id)
    mention = bob.status_post(f"@{alice.name} hello")
    if treatment == "drop":
        follow((alice, bob))
        if rule != "for_not_followers":
            last = bob.status_post(f"@{alice.name} again")
            assert eventually("told", alice.notifications)[0].status.id == last.id, "what came before is not even kept"
            assert len(alice.notifications(account_id=bob.me_id)) == 1
        assert pending(alice) == (0, 0) and alice.notification_requests() == []
        return
    kept = eventually("both", lambda: len(found := alice.notifications(account_id=bob.me_id)) == 2 and found)
    assert [row.type for row in kept] == ["mention", "favourite"]
    everything = call(alice, "GET", "/api/v1/notifications?include_filtered=true").json()
    assert [row["id"] for row in everything] == ids(kept)
    assert alice.notifications(id=kept[0].id).status.id == mention.id
    shown = ids(kept) if treatment == "accept" else []
    assert ids(alice.notifications()) == shown
    assert len(alice.grouped_notifications().notification_groups) == len(shown)
    assert alice.notifications_unread_count().count == len(shown)
    assert pending(alice) == ((1, 1) if treatment == "filter" else (0, 0)), "mentions ask for an answer, and count"


def test_requests_are_listed_accepted_and_merged(people, alice, bob):
    carol = people.join("carol")
    alice.update_notifications_policy(for_not_following="filter")
    first = bob.status_post(f"@{alice.name} one")
    requests(alice, 1)
    last = bob.status_post(f"@{alice.name} two")
    carol.status_post(f"@{alice.name} three")
    newest, oldest = requests(alice, 2)
    oldest = eventually("both counted", lambda: (it := alice.notification_request(oldest.id)).notifications_count == "2" and it)
    assert (newest.account.id, oldest.account.id) == (carol.me_id, bob.me_id)
    assert oldest.last_status.id == last.id and oldest.updated_at >= oldest.created_at
    assert set(oldest) >= {"id", "created_at", "updated_at", "notifications_count", "account", "last_status"}
    page = alice.notification_requests(limit=1)
    assert ids(page) == [newest.id] and ids(alice.fetch_next(page)) == [oldest.id]
    assert pending(alice) == (2, 3)
    with refused(404):
        bob.notification_request(oldest.id)
    with refused(404):
        bob.accept_notification_request(oldest.id)
    alice.accept_notification_request(oldest.id)
    assert alice.notifications_merged() is True
    assert [row.status.id for row in alice.notifications()] == [last.id, first.id]
    assert ids(alice.notification_requests()) == [newest.id] and pending(alice) == (1, 1)
    with refused(404):
        alice.accept_notification_request(oldest.id)
    again = bob.status_post(f"@{alice.name} four")
    assert eventually("told at once", lambda: len(found := alice.notifications()) == 3 and found)[0].status.id == again.id
    alice.dismiss_notification_request(newest.id)
    assert alice.notification_requests() == [] and alice.notifications(account_id=carol.me_id) == []


def test_many_requests_are_answered_at_once(people, alice):
    alice.update_notifications_policy(for_not_followers="filter")
    others = [people.join("other") for _ in range(4)]
    for other in others:
        other.status_post(f"@{alice.name}")
    found = requests(alice, 4)
    alice.accept_multiple_notification_requests([found[0].id, found[1].id, "7"])
    accepted = {found[0].account.id, found[1].account.id}
    eventually("accepted", lambda: {row.account.id for row in alice.notifications()} == accepted)
    alice.dismiss_multiple_notification_requests([found[2].id, found[3].id])
    assert alice.notification_requests() == [] and len(alice.notifications()) == 2
    alice.dismiss_multiple_notification_requests([found[2].id])


def test_private_mentions_of_strangers_wait_with_their_conversation(alice, bob):
    secret = bob.status_post(f"@{alice.name} psst", visibility="direct")
    request = requests(alice, 1)[0]
    assert request.last_status.id == secret.id
    assert alice.notifications() == [] and alice.conversations() == []
    alice.accept_notification_request(request.id)
    assert [row.status.id for row in alice.notifications()] == [secret.id]
    talk = alice.conversations()[0]
    assert talk.unread and talk.last_status.id == secret.id


def test_answers_to_ones_own_private_mentions_and_those_of_people_one_follows_are_told(people, alice, bob):
    begun = alice.status_post(f"@{bob.name} psst", visibility="direct")
    answer = eventually("told", lambda: bob.notification_requests()) and bob.status_reply(begun, "yes?", visibility="direct")
    assert eventually("told", alice.notifications)[0].status.id == answer.id
    carol = people.join("carol")
    follow((alice, carol))
    carol.status_post(f"@{alice.name} hi", visibility="direct")
    eventually("told", lambda: len(alice.notifications()) == 2)


def test_what_is_kept_apart_is_not_streamed_and_merging_is(people, alice, bob):
    alice.update_notifications_policy(for_not_following="filter")
    carol = people.join("carol")
    follow((alice, carol))
    headers = {"authorization": f"Bearer {alice.access_token}"}
    with HTTP.stream("GET", f"{people.url}/api/v1/streaming/user/notification", headers=headers) as stream:
        lines = (line.removeprefix("event: ").removeprefix("event:").strip() for line in stream.iter_lines())
        events = (line for line in lines if line in {"notification", "notifications_merged"})
        bob.status_post(f"@{alice.name} kept apart")
        request = requests(alice, 1)[0]
        carol.status_post(f"@{alice.name} told")
        assert next(events) == "notification"
        alice.accept_notification_request(request.id)
        assert next(events) == "notifications_merged"
    assert len(alice.notifications()) == 2
