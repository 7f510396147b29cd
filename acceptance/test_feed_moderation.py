"""Reports on the feed, and what moderators do about accounts: who is limited, suspended, disabled, and what that means."""

import pytest
from mastodon import MastodonIllegalArgumentError

from clients.mastodon_client import call, eventually, follow, ids, refused

NOT_ALLOWED = "This action is not allowed"


def told(client, kind: str, **keys) -> list:
    """Waits to be notified of something of this kind."""
    return eventually(kind, lambda: client.notifications(types=[kind], **keys))


def moderate(admin, client, action: str, **keys) -> None:
    """A moderator does something about somebody."""
    admin.admin_account_moderate(client.me_id, action=action, **keys)


@pytest.fixture
def carol(people, alice, bob):
    """Follows Alice; Bob does not."""
    made = people.join("carol")
    follow((made, alice))
    return made


def test_a_report_reaches_the_moderators_who_see_to_it(admin, alice, bob):
    post, other = alice.status_post("buy this"), bob.status_post("mine")
    made = bob.report(alice.me_id, status_ids=[post.id, other.id], comment="advertising", category="spam")
    assert (made.action_taken, made.action_taken_at, made.category, made.comment, made.forwarded) == (False, None, "spam", "advertising", False)
    assert made.status_ids == [post.id], "only what is of the one who is reported"
    assert made.rule_ids is None and made.target_account.id == alice.me_id
    note = told(admin, "admin.report")[0]
    assert (note.account.id, note.report.id) == (bob.me_id, made.id) and note.status is None
    group = admin.grouped_notifications().notification_groups[0]
    assert (group.type, group.report.id) == ("admin.report", made.id)
    assert made.id in ids(admin.admin_reports(account_id=bob.me_id, target_account_id=alice.me_id))
    assert admin.admin_reports(account_id=alice.me_id) == []
    shown = admin.admin_report(made.id)
    assert (shown.account.account.id, shown.target_account.account.id) == (bob.me_id, alice.me_id)
    assert ids(shown.statuses) == [post.id] and shown.assigned_account is shown.action_taken_by_account is None and shown.rules == []
    assert admin.admin_report_assign(made.id).assigned_account.id == admin.me_id
    assert admin.admin_report_unassign(made.id).assigned_account is None
    done = admin.admin_report_resolve(made.id)
    assert done.action_taken and done.action_taken_at and done.action_taken_by_account.id == admin.me_id
    assert made.id not in ids(admin.admin_reports()) and made.id in ids(admin.admin_reports(resolved=True))
    again = admin.admin_report_reopen(made.id)
    assert not again.action_taken and again.action_taken_at is None and made.id in ids(admin.admin_reports())
    changed = call(admin, "PUT", f"/api/v1/admin/reports/{made.id}", data={"category": "violation", "rule_ids[]": "1"}).json()
    assert changed["category"] == "violation" and [rule["text"] for rule in changed["rules"]] == ["Be kind."]


def test_what_a_report_may_say(alice, bob):
    made = bob.report(alice.me_id, rule_ids=[1])
    assert made.category == "violation" and made.rule_ids == ["1"] and bob.report(alice.me_id).category == "other"
    with refused(422, said="Rule ids does not reference valid rules"):
        bob.report(alice.me_id, rule_ids=[99])
    with refused(422, said="Rule ids does not reference valid rules"):
        bob.report(alice.me_id, category="violation")
    with refused(422, said="banana"):
        bob._Mastodon__api_request("POST", "/api/v1/reports", {"account_id": alice.me_id, "category": "banana"})
    with refused(422, said="1000"):
        bob.report(alice.me_id, comment="x" * 1001)
    with refused(404):
        bob.report(1)


def test_only_moderators_moderate(people, admin, alice, bob):
    report = bob.report(alice.me_id)
    reader = people.with_scopes(bob.name, ["read", "write"])
    for method, path in [
        ("GET", "/api/v1/admin/reports"),
        ("GET", f"/api/v1/admin/reports/{report.id}"),
        ("POST", f"/api/v1/admin/reports/{report.id}/resolve"),
        ("GET", "/api/v1/admin/accounts"),
        ("GET", "/api/v2/admin/accounts"),
        ("POST", f"/api/v1/admin/accounts/{alice.me_id}/action"),
        ("POST", f"/api/v1/admin/accounts/{alice.me_id}/unsuspend"),
        ("POST", "/api/v1/admin/announcements"),
        ("POST", "/api/v1/admin/custom_emojis"),
    ]:
        assert call(reader, method, path).status_code == 403, path
        assert call(people.nobody(), method, path).status_code == 401, path
    with refused(403, said=NOT_ALLOWED):
        admin.admin_account_moderate(admin.me_id, action="suspend")
    for answer in [admin.admin_account_approve, admin.admin_account_reject]:
        with refused(403, said=NOT_ALLOWED):
            answer(alice.me_id)
    with refused(404):
        admin.admin_account_moderate(1, action="suspend")
    with refused(422):
        admin._Mastodon__api_request("POST", f"/api/v1/admin/accounts/{alice.me_id}/action", {"type": "banana"})


def test_moderators_are_told_of_sign_ups_and_find_accounts(people, admin):
    zoe = people.join("zoe")
    note = told(admin, "admin.sign_up", account_id=zoe.me_id)[0]
    assert note.account.id == zoe.me_id
    zoe.account_update_credentials(display_name="Zoë the First")
    found = admin.admin_account(zoe.me_id)
    assert (found.username, found.domain, found.email) == (zoe.name, None, f"{zoe.name}@example.org")
    assert found.confirmed and found.approved and not (found.disabled or found.silenced or found.suspended or found.sensitized)
    assert found.account.id == zoe.me_id and found.role.permissions == "0"
    assert ids(admin.admin_accounts_v2(username=zoe.name)) == [zoe.me_id]
    assert ids(admin.admin_accounts_v2(email=f"{zoe.name}@example.org")) == [zoe.me_id]
    assert zoe.me_id in ids(admin.admin_accounts_v2(display_name="the first"))
    assert admin.admin_accounts_v2(origin="remote") == [] and admin.admin_accounts_v2(status="pending") == []
    assert ids(admin.admin_accounts_v2(permissions="staff")) == [admin.me_id]
    older = call(admin, "GET", "/api/v1/admin/accounts", params={"username": zoe.name, "active": "true"}).json()
    assert [one["id"] for one in older] == [str(zoe.me_id)]
    newest = call(admin, "GET", "/api/v2/admin/accounts?limit=1")
    older = call(admin, "GET", newest.links["next"]["url"].removeprefix(admin.api_base_url))
    assert len(newest.json()) == len(older.json()) == 1 and int(newest.json()[0]["id"]) > int(older.json()[0]["id"])


def test_a_limited_account_is_seen_by_followers_only_where_everybody_looks(people, nobody, admin, alice, bob, carol):
    alice.account_update_credentials(discoverable=True)
    call(alice, "PATCH", "/api/v1/accounts/update_credentials", json={"indexable": True})
    word = "word" + alice.name
    root = bob.status_post("root")
    post = alice.status_post(f"{word} #{word}", in_reply_to_id=root.id)
    alone = alice.status_post(f"{word} alone #{word}")
    eventually("at home", lambda: alone.id in ids(carol.timeline_home()))

    def seen(client) -> set[str]:
        every = {
            "public": alone.id in ids(client.timeline_public()),
            "tag": alone.id in ids(client.timeline_hashtag(word)),
            "context": post.id in ids(client.status_context(root.id).descendants),
            "directory": alice.me_id in ids(client.directory(order="new", limit=80)),
            "account": client.account(alice.me_id).get("limited") is not True,
            "post": client.status(alone.id).id == alone.id,
        }
        if client.access_token:
            every["search"] = alice.me_id in ids(client.search_v2(alice.name).accounts)
            every["posts"] = alone.id in ids(client.search_v2(word).statuses)
            every["home"] = alone.id in ids(client.timeline_home())
        return {name for name, is_seen in every.items() if is_seen}

    everywhere = {"public", "tag", "context", "directory", "account", "post"}
    assert seen(nobody) == everywhere and seen(bob) == everywhere | {"search", "posts"}
    assert seen(carol) == everywhere | {"search", "posts", "home"}
    moderate(admin, alice, "silence")
    assert admin.admin_account(alice.me_id).silenced and alice.me_id in ids(admin.admin_accounts_v2(status="silenced"))
    assert seen(nobody) == seen(bob) == {"post"}
    assert seen(carol) == {"post", "context", "search", "posts", "home"}
    assert alone.id in ids(alice.timeline_home())
    alice.status_post(f"@{bob.name} and @{carol.name}")
    assert bob.notifications(types=["mention"]) == [], "unless they follow, it is kept apart"
    eventually("kept apart", bob.notification_requests)
    follow_of = alice.account_follow(bob.me_id)
    assert follow_of.requested and not follow_of.following, "whom it wants to follow is asked"
    undone = admin.admin_account_unsilence(alice.me_id)
    assert not undone.silenced and seen(bob) == everywhere | {"search", "posts"}


def test_a_suspended_account_is_gone_for_everybody_and_does_nothing(people, nobody, admin, alice, bob, carol):
    alice.account_update_credentials(display_name="Alice", note="hello", discoverable=True)
    root = bob.status_post("root")
    post = alice.status_post(f"@{bob.name} hello", in_reply_to_id=root.id)
    shared = carol.status_reblog(post.id)
    own = carol.status_post("own")
    alice.status_favourite(own.id)
    alice.account_follow(bob.me_id)
    bob.account_follow(alice.me_id)
    report = bob.report(alice.me_id, status_ids=[post.id])
    eventually("told", lambda: len(bob.notifications(account_id=alice.me_id)) == 2)
    moderate(admin, alice, "suspend")
    assert admin.admin_account(alice.me_id).suspended
    resolved = admin.admin_report(report.id)
    assert resolved.action_taken and resolved.action_taken_by_account.id == admin.me_id, "what was reported is seen to"
    assert ids(resolved.statuses) == [post.id], "moderators still see it"
    for client in [nobody, bob, carol]:
        shown = client.account(alice.me_id)
        assert shown.suspended is True and (shown.display_name, shown.note, shown.fields) == ("", "", [])
        assert client.account_statuses(alice.me_id) == [] == client.account_followers(alice.me_id)
        assert post.id not in ids(client.status_context(root.id).descendants)
        for gone in [post.id, shared.id]:
            with refused(404):
                client.status(gone)
        assert alice.me_id not in ids(client.directory(order="new", limit=80))
        assert alice.me_id not in ids(client.status_favourited_by(own.id))
        assert alice.me_id not in ids(client.account_followers(bob.me_id))
    assert bob.notifications(account_id=alice.me_id) == []
    assert bob.search_v2(alice.name).accounts == [] and post.id not in ids(carol.timeline_home())
    assert bob.account_relationships(alice.me_id) == []
    assert len(call(bob, "GET", f"/api/v1/accounts/relationships?id[]={alice.me_id}&with_suspended=true").json()) == 1
    with refused(404):
        people.join("dave").account_follow(alice.me_id)
    for method, path in [("GET", "/api/v1/accounts/verify_credentials"), ("POST", "/api/v1/statuses"), ("GET", "/api/v1/timelines/home")]:
        answer = call(alice, method, path, data={"status": "x"} if method == "POST" else None)
        assert answer.status_code == 403 and answer.json() == {"error": "Your login is currently disabled"}
    mention = bob.status_post(f"@{alice.name} are you there?")
    assert mention.mentions == []
    admin.admin_account_unsuspend(alice.me_id)
    assert bob.status(post.id).account.display_name == "Alice" and bob.account(alice.me_id).get("suspended") is None
    assert alice.status_post("back").id and alice.me_id in ids(bob.account_followers(bob.me_id))


def test_measures_outlive_a_restart(feed, admin, alice, bob):
    moderate(admin, alice, "suspend")
    moderate(admin, bob, "silence")
    feed.restart()
    assert admin.account(alice.me_id).suspended and admin.account(bob.me_id).limited
    assert call(alice, "GET", "/api/v1/timelines/home").status_code == 403


def test_attachments_of_a_marked_account_are_sensitive_for_others(admin, alice, bob):
    post = alice.status_post("look")
    moderate(admin, alice, "sensitive")
    assert bob.status(post.id).sensitive and not alice.status(post.id).sensitive
    assert admin.admin_account(alice.me_id).sensitized
    assert not admin.admin_account_unsensitive(alice.me_id).sensitized and not bob.status(post.id).sensitive


def test_a_disabled_account_cannot_sign_in(people, admin, alice, bob):
    moderate(admin, alice, "disable")
    assert admin.admin_account(alice.me_id).disabled and alice.me_id in ids(admin.admin_accounts_v2(status="disabled"))
    assert call(alice, "GET", "/api/v1/timelines/home").status_code == 401
    with pytest.raises(MastodonIllegalArgumentError):
        people.with_scopes(alice.name, ["read"])
    assert bob.account(alice.me_id).get("suspended") is None, "others see it as before"
    assert not admin.admin_account_enable(alice.me_id).disabled
    assert people.with_scopes(alice.name, ["read"]).me().id == alice.me_id


def test_a_warning_sees_to_one_report_and_a_measure_to_all(admin, alice, bob, carol):
    first, second, third = bob.report(alice.me_id), carol.report(alice.me_id), bob.report(alice.me_id)
    moderate(admin, alice, "none", report_id=first.id, text="please stop")
    assert [admin.admin_report(one.id).action_taken for one in [first, second, third]] == [True, False, False]
    moderate(admin, alice, "sensitive", report_id=second.id)
    assert [admin.admin_report(one.id).action_taken for one in [first, second, third]] == [True, True, True]
