"""The order "for you": opt-in, explained, learned from what people do, and never more than the author lets one see."""

import uuid

import pytest

from clients.account import Account
from clients.mastodon_client import Crowd, call, eventually, feed_server, follow, ids, refused

RANKING = """
[feed.ranking]
train_impressions = 20
experiment = "order"
arms = ["default", "chronological"]
"""


@pytest.fixture(scope="module")
def feed(tmp_path_factory):
    """A server whose people take part in an experiment."""
    server = feed_server(tmp_path_factory.mktemp("ranked"))
    server.config.write_text(server.config.read_text() + RANKING)
    server.start()
    yield server
    server.finish()


@pytest.fixture(scope="module")
def operator(feed) -> dict:
    """Headers of somebody who may read results."""
    admin = Account.admin(feed)
    key = admin.api_key(admin.id(), ["admin:read", "admin:write"])["key"]
    return {"x-api-key": key}


def for_you(who, **params):
    """Somebody's ranked timeline, as their client reads it."""
    answer = call(who, "GET", "/api/v1/timelines/home", params={"order": "for_you"} | params)
    assert answer.status_code == 200, answer.text
    return answer


def shown(who, **params) -> list[str]:
    return [row["id"] for row in for_you(who, **params).json()]


def explained(who, post) -> dict:
    answer = call(who, "GET", f"/api/decalog/v1/statuses/{post}/explanation")
    assert answer.status_code == 200, answer.text
    return answer.json()


def in_arm(people: Crowd, arm: str, name: str):
    """Somebody new whom the experiment gives this arm."""
    for _ in range(40):
        who = people.join(name)
        if call(who, "GET", "/api/decalog/v1/ranking").json()["ranker"] == arm:
            return who
    raise AssertionError(f"nobody of forty is in {arm}")


def test_the_order_of_time_is_the_usual_one(people):
    reader, author = in_arm(people, "default", "reader"), people.join("author")
    follow((reader, author))
    posts = [author.status_post(f"post {number}") for number in range(4)]
    eventually("at home", lambda: len(reader.timeline_home()) == 4)
    newest = [post.id for post in reversed(posts)]
    assert ids(reader.timeline_home()) == newest
    assert reader.preferences()["decalog:home:order"] == "chronological"
    # Switched on, every client of theirs gets it, without asking.
    answer = call(reader, "PATCH", "/api/decalog/v1/ranking", json={"home": "for_you"})
    assert answer.json()["home"] == "for_you" and answer.json()["weights"]["mute"] < 0
    assert reader.preferences()["decalog:home:order"] == "for_you"
    liker = people.join("liker")
    liker.status_favourite(posts[0].id)
    eventually("liked", lambda: author.status(posts[0].id).favourites_count == 1)
    assert reader.timeline_home()[0].id == posts[0].id, "what is liked comes first"
    assert not set(newest) & set(ids(reader.timeline_home())), "what was shown is not shown again"
    # The order of time stays in reach, and what is newer than something is always in it.
    answer = call(reader, "GET", "/api/v1/timelines/home", params={"order": "chronological"})
    assert [row["id"] for row in answer.json()] == [str(one) for one in newest]
    assert ids(reader.timeline_home(min_id=posts[1].id)) == newest[:2]
    assert call(reader, "PATCH", "/api/decalog/v1/ranking", json={"show_seen": True}).json()["show_seen"] is True
    assert set(newest) <= set(ids(reader.timeline_home()))
    for wrong in [{"order": "random"}, {"order": "FOR_YOU"}]:
        assert call(reader, "GET", "/api/v1/timelines/home", params=wrong).status_code == 422
    assert call(reader, "PATCH", "/api/decalog/v1/ranking", json={"home": "maybe"}).status_code == 422


def test_pages_lead_on_through_one_look(people):
    reader, authors = in_arm(people, "default", "reader"), [people.join("author") for _ in range(3)]
    follow(*[(reader, author) for author in authors])
    wanted = {str(author.status_post(f"post {number}").id) for number in range(3) for author in authors}
    eventually("at home", lambda: len(reader.timeline_home()) == 9)
    found, query = [], {"limit": 4}
    while query:
        answer = for_you(reader, **query)
        found.append([row["id"] for row in answer.json()])
        following = answer.links.get("next", {}).get("url")
        query = {"limit": 4, "max_id": following.split("max_id=")[1]} if following else None
        assert not following or "order=for_you" in following
    every = sum(found, [])
    assert len(found[0]) == len(found[1]) == 4 and wanted <= set(every) and len(every) == len(set(every))
    by = {str(post.id): post.account.id for author in authors for post in author.account_statuses(author.me_id)}
    first = [by[post] for post in every if post in by][:3]
    assert len(set(first)) == 3, "nobody fills the page"


def test_why_a_post_is_there(people):
    reader, author, friend, stranger = (
        in_arm(people, "default", "reader"), people.join("author"), people.join("friend"), people.join("stranger"),
    )
    stranger.account_update_credentials(discoverable=True)
    follow((reader, author), (friend, stranger), (reader, friend))
    tag = "t" + uuid.uuid4().hex[:8]
    call(reader, "POST", f"/api/v1/tags/{tag}/follow")
    near, far = author.status_post("near"), stranger.status_post(f"far #{tag}")
    eventually("both", lambda: {str(near.id), str(far.id)} <= set(shown(reader, limit=40)) or forget(reader))
    why = explained(reader, near.id)
    assert why["shown_at"] and why["times_shown"] == 1 and why["ranker"] == "default" and why["model"] == 0
    assert "following" in why["sources"] and why["left_out_by"] == []
    assert [row["action"] for row in why["predictions"]] == ["favourite", "reblog", "reply", "dwell", "mute", "report"]
    assert all(0 < row["chance"] < 1 for row in why["predictions"])
    total = sum(row["contribution"] for row in why["predictions"])
    for adjustment in why["adjustments"]:
        total = total * adjustment["factor"] if total >= 0 else total / adjustment["factor"]
    assert abs(total - why["score"]) < 0.002, why
    assert [row["name"] for row in why["adjustments"]] == ["new_author"]
    assert {"friends_of_friends", "followed_tag"} <= set(explained(reader, far.id)["sources"])
    own = explained(reader, reader.status_post("mine").id)
    assert own["shown_at"] is None and "own" in own["left_out_by"]
    with refused(404):
        reader.status(1)
    assert call(reader, "GET", "/api/decalog/v1/statuses/1/explanation").status_code == 404
    hidden = author.status_post("@nobody secret", visibility="direct")
    assert call(reader, "GET", f"/api/decalog/v1/statuses/{hidden.id}/explanation").status_code == 404
    assert call(people.nobody(), "GET", f"/api/decalog/v1/statuses/{near.id}/explanation").status_code == 401


def forget(who) -> bool:
    """What was shown may be shown again; nothing is explained by it any more."""
    assert call(who, "DELETE", "/api/decalog/v1/ranking/impressions").status_code == 200
    return False


def test_what_is_like_what_one_liked_is_found(people):
    reader, author, other = in_arm(people, "default", "reader"), people.join("author"), people.join("other")
    for one in [author, other]:
        one.account_update_credentials(discoverable=True)
    tag, away = "t" + uuid.uuid4().hex[:8], "u" + uuid.uuid4().hex[:8]
    reader.status_favourite(author.status_post(f"one #{tag}").id)
    alike, different = other.status_post(f"two #{tag}"), other.status_post(f"three #{away}")
    eventually("found", lambda: "similar" in explained(reader, alike.id)["sources"])
    assert explained(reader, alike.id)["features"]["similarity"] > explained(reader, different.id)["features"]["similarity"]
    assert str(alike.id) in shown(reader, limit=40)


def test_strangers_are_recommended_only_when_they_said_so(people):
    reader, shy = in_arm(people, "default", "reader"), people.join("shy")
    tag = "t" + uuid.uuid4().hex[:8]
    call(reader, "POST", f"/api/v1/tags/{tag}/follow")
    post = shy.status_post(f"words #{tag}")
    eventually("tagged", lambda: "followed_tag" in explained(reader, post.id)["sources"])
    assert explained(reader, post.id)["left_out_by"] == ["not_recommendable"]
    assert str(post.id) not in shown(reader, limit=40)
    shy.account_update_credentials(discoverable=True)
    eventually("open", lambda: str(post.id) in shown(reader, limit=40))


def test_mutes_blocks_and_filters_count_in_every_order(people):
    reader, author, muted = in_arm(people, "default", "reader"), people.join("author"), people.join("muted")
    follow((reader, author), (reader, muted))
    kept, silent, filtered = author.status_post("kept"), muted.status_post("silent"), author.status_post("spiders")
    eventually("at home", lambda: len(reader.timeline_home()) == 3)
    reader.account_mute(muted.me_id)
    reader.create_filter_v2("no", ["home"], "hide", keywords_attributes=[{"keyword": "spiders", "whole_word": True}])
    found = shown(reader, limit=40)
    assert str(kept.id) in found and not {str(silent.id), str(filtered.id)} & set(found)
    assert explained(reader, silent.id)["left_out_by"] == ["muted"]
    forget(reader)
    author.account_block(reader.me_id)
    eventually("blocked", lambda: reader.account_relationships(author.me_id)[0].blocked_by)
    assert not {str(kept.id), str(filtered.id)} & set(shown(reader, limit=40))
    for post in [kept, filtered]:
        assert call(reader, "GET", f"/api/decalog/v1/statuses/{post.id}/explanation").status_code == 404


def test_notifications_may_be_ranked(people):
    reader, friend, stranger = people.join("reader"), people.join("friend"), people.join("stranger")
    post = reader.status_post("hello")
    follow((reader, friend), (friend, reader))
    friend.status_post(f"@{reader.name} hello")
    eventually("told", lambda: len(reader.notifications()) == 2)
    stranger.status_favourite(post.id)
    eventually("told", lambda: len(reader.notifications()) == 3)
    kinds = lambda answer: [row["type"] for row in answer.json()]
    newest = call(reader, "GET", "/api/v1/notifications")
    assert kinds(newest)[0] == "favourite"
    ranked = call(reader, "GET", "/api/v1/notifications", params={"order": "for_you", "limit": 2})
    assert kinds(ranked) == ["mention", "follow"]
    rest = call(reader, "GET", ranked.links["next"]["url"].removeprefix(reader.api_base_url))
    assert kinds(rest) == ["favourite"]
    call(reader, "PATCH", "/api/decalog/v1/ranking", json={"notifications": "for_you"})
    assert reader.notifications()[0].type == "mention"


def test_an_experiment_divides_and_counts(people, operator):
    before = results(people, operator)
    readers = [in_arm(people, arm, "reader") for arm in ["default", "chronological"]]
    author = people.join("author")
    follow(*[(reader, author) for reader in readers])
    posts = [author.status_post(f"post {number}") for number in range(3)]
    people.join("liker").status_favourite(posts[0].id)
    eventually("liked", lambda: author.status(posts[0].id).favourites_count == 1)
    for reader in readers:
        eventually("at home", lambda reader=reader: len(reader.timeline_home()) == 3)
        first = shown(reader)
        assert {str(post.id) for post in posts} <= set(first)
        assert call(reader, "GET", "/api/decalog/v1/ranking").json()["experiment"] == "order"
    assert explained(readers[1], posts[0].id)["ranker"] == "chronological"
    assert first == [str(post.id) for post in reversed(posts)], "the newest first"
    readers[0].status_favourite(posts[1].id)
    call(readers[0], "POST", "/api/decalog/v1/ranking/dwell", json={"dwell": [{"id": str(posts[1].id), "milliseconds": 7_000}]})

    def counted():
        after = results(people, operator)
        gained = {arm: {key: after[arm][key] - before.get(arm, {}).get(key, 0) for key in after[arm]} for arm in after}
        return gained["default"]["favourites"] == 1 and gained

    gained = eventually("counted", counted)
    assert [gained[arm]["accounts"] for arm in ["chronological", "default"]] == [1, 1], "who was shown something"
    assert gained["default"]["impressions"] >= gained["chronological"]["impressions"] == 3
    assert gained["default"]["dwell_milliseconds"] == 7_000 and gained["default"]["dwells"] == 1
    assert gained["chronological"]["favourites"] == 0
    assert call(people.nobody(), "GET", "/api/decalog/v1/experiments/none", headers=operator).status_code == 404
    assert call(readers[0], "GET", "/api/decalog/v1/experiments/order").status_code == 403


def results(people, operator) -> dict:
    answer = call(people.nobody(), "GET", "/api/decalog/v1/experiments/order", headers=operator)
    assert answer.status_code == 200 and answer.json()["running"] is True, answer.text
    rows = answer.json()["arms"]
    return {row["arm"]: {key: value for key, value in row.items() if key != "arm"} for row in rows}


def test_models_learn_from_what_is_done(people, operator):
    reader, loved, other = in_arm(people, "default", "reader"), people.join("loved"), people.join("other")
    follow((reader, loved), (reader, other))
    for number in range(60):
        loved.status_post(f"loved {number}", sensitive=True)
        other.status_post(f"other {number}")
    eventually("at home", lambda: len(reader.timeline_home(limit=40)) == 40)
    for _ in range(3):
        page = for_you(reader, limit=40).json()
        assert len(page) >= 30
        liked = [row for row in page if row["content"].startswith("<p>loved")]
        for row in liked[::2]:
            reader.status_favourite(row["id"])
        dwell = [{"id": row["id"], "milliseconds": 9_000 if row in liked else 100} for row in page]
        assert call(reader, "POST", "/api/decalog/v1/ranking/dwell", json={"dwell": dwell}).status_code == 200
    trained = call(people.nobody(), "POST", "/api/decalog/v1/ranking/train", headers=operator).json()
    assert trained["examples"] >= 90 and trained["model"] == 1, trained
    actions = {row["action"]: row for row in trained["actions"]}
    assert actions["dwell"]["chosen"] != "kept" and actions["dwell"]["came"] >= 40
    assert actions["dwell"]["log_loss_after"] < actions["dwell"]["log_loss_before"] and actions["dwell"]["auc"] > 0.9
    assert actions["reply"]["chosen"] == "kept", "nobody answered"
    again = call(people.nobody(), "POST", "/api/decalog/v1/ranking/train", headers=operator).json()
    assert again["model"] in (None, 2), "only what is better is shipped"
    assert call(reader, "POST", "/api/decalog/v1/ranking/train").status_code == 403


def test_what_is_told_of_dwelling_is_checked(people):
    reader = people.join("reader")
    path = "/api/decalog/v1/ranking/dwell"
    many = [{"id": "1", "milliseconds": 1}] * 101
    for wrong in [{}, {"dwell": 1}, {"dwell": [{"id": "x", "milliseconds": 1}]}, {"dwell": [{"id": "1"}]}, {"dwell": many},
                  {"dwell": [{"id": "1", "milliseconds": -1}]}]:
        assert call(reader, "POST", path, json=wrong).status_code == 422, wrong
    assert call(reader, "POST", path, json={"dwell": []}).status_code == 200
    assert call(people.nobody(), "POST", path, json={"dwell": []}).status_code == 401
