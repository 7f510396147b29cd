"""What apps for Mastodon ask when they start: each route of a server of API level 4.5 answers, with every key that the
documentation (https://docs.joinmastodon.org/entities) promises."""

import subprocess
from datetime import UTC, datetime

import httpx
import pytest
from mastodon import Mastodon

from clients.mastodon_client import HTTP, call, eventually, follow

# Routes of such a server that ours does not have, and why. One that is there must not stand here.
MISSING = {
    "POST /api/v1/statuses/{post}/translate": "nothing is translated",
    "GET /api/v1/instance/privacy_policy": "there is none",
    "GET /api/v1/instance/terms_of_service": "there are none",
    "GET /api/v1/instance/languages": "there is no list",
    "GET /api/oembed": "nothing is embedded",
}

# The calls with which apps begin, as far as they show in their sources.
WEB = [
    "/api/v2/instance",
    "/api/v1/accounts/verify_credentials",
    "/api/v1/custom_emojis",
    "/api/v1/announcements",
    "/api/v1/lists",
    "/api/v1/followed_tags",
    "/api/v2/filters",
    "/api/v1/markers?timeline[]=home&timeline[]=notifications",
    "/api/v1/timelines/home?limit=20",
    "/api/v2/notifications?exclude_types[]=follow_request&grouped_types[]=favourite&grouped_types[]=reblog&grouped_types[]=follow",
    "/api/v2/notifications/policy",
    "/api/v2/notifications/unread_count",
    "/api/v1/follow_requests",
    "/api/v2/suggestions",
    "/api/v1/trends/tags",
    "/api/v1/trends/statuses",
    "/api/v1/trends/links",
    "/api/v1/notifications/requests",
    "/api/v1/directory?order=active&local=true",
    "/api/v1/instance/extended_description",
    "/api/v1/instance/domain_blocks",
    "/api/v1/instance/translation_languages",
]
ANDROID = [
    "/api/v2/instance",
    "/api/v1/custom_emojis",
    "/api/v1/accounts/verify_credentials",
    "/api/v1/preferences",
    "/api/v2/filters",
    "/api/v1/lists",
    "/api/v1/followed_tags?limit=200",
    "/api/v1/timelines/home",
    "/api/v1/notifications?limit=40",
    "/api/v1/notifications/policy",
    "/api/v1/announcements?with_dismissed=true",
    "/api/v1/accounts/familiar_followers?id[]={other}",
    "/api/v1/accounts/{me}/featured_tags",
]
IOS = [
    "/api/v1/instance",
    "/api/v2/instance",
    "/api/v1/accounts/verify_credentials",
    "/api/v1/apps/verify_credentials",
    "/api/v1/filters",
    "/api/v1/preferences",
    "/api/v1/conversations",
    "/api/v1/bookmarks",
    "/api/v1/favourites",
    "/api/v1/accounts/relationships?id[]={other}",
    "/api/v1/accounts/{other}/statuses?pinned=true",
    "/api/v1/accounts/{other}/statuses?exclude_replies=true",
    "/api/v1/accounts/{other}/lists",
    "/api/v1/suggestions",
    "/api/v1/trends",
    "/api/v1/timelines/public?local=true",
    "/api/v2/search?q=a&type=accounts&resolve=true",
]
TUSKY = [
    "/api/v1/accounts/verify_credentials",
    "/api/v1/instance",
    "/api/v2/instance",
    "/api/v1/custom_emojis",
    "/api/v2/filters",
    "/api/v1/filters",
    "/api/v1/markers?timeline[]=notifications",
    "/api/v1/notifications?min_id=0&limit=30",
    "/api/v1/announcements",
    "/api/v1/scheduled_statuses",
    "/api/v1/follow_requests",
    "/api/v1/blocks",
    "/api/v1/mutes",
    "/api/v1/domain_blocks",
    "/api/v1/accounts/{me}/followers",
    "/api/v1/accounts/{me}/following",
    "/api/v1/tags/hello",
    "/api/v1/timelines/tag/hello?local=false&limit=30",
]
ELK_AND_PHANPY = [
    "/api/v2/instance",
    "/api/v1/instance",
    "/api/v1/accounts/verify_credentials",
    "/api/v1/preferences",
    "/api/v1/lists",
    "/api/v2/filters",
    "/api/v1/markers?timeline[]=home",
    "/api/v1/accounts/lookup?acct={name}",
    "/api/v1/statuses/{post}/context",
    "/api/v1/statuses/{post}/source",
    "/api/v1/statuses/{post}/history",
    "/api/v1/statuses/{post}/favourited_by",
    "/api/v1/statuses/{post}/reblogged_by",
    "/api/v1/polls/{post}",
    "/api/v1/endorsements",
    "/api/v1/featured_tags",
    "/api/v1/featured_tags/suggestions",
    "/api/v1/notifications/unread_count",
    "/api/v1/instance/peers",
    "/api/v1/instance/activity",
    "/api/v1/instance/rules",
    "/.well-known/nodeinfo",
    "/nodeinfo/2.0",
    "/.well-known/webfinger?resource=acct:{name}@{domain}",
    "/.well-known/oauth-authorization-server",
]
APPS = {"web": WEB, "android": ANDROID, "ios": IOS, "tusky": TUSKY, "elk and phanpy": ELK_AND_PHANPY}

# What the documentation promises of each entity. A dot leads into an entity or the first of a list.
ACCOUNT = """id username acct url uri display_name note avatar avatar_static header header_static locked fields emojis bot group
    discoverable indexable hide_collections noindex roles created_at last_status_at statuses_count followers_count following_count
    fields.name fields.value fields.verified_at""".split()
CREDENTIAL_ACCOUNT = [*ACCOUNT, *"""source.privacy source.sensitive source.language source.note source.fields source.hide_collections
    source.discoverable source.indexable source.follow_requests_count source.attribution_domains role.id role.name role.permissions
    role.color role.highlighted""".split()]
POLL = """id expires_at expired multiple votes_count voters_count options options.title options.votes_count emojis voted own_votes""".split()
MEDIA = "id type url preview_url remote_url meta description blurhash".split()
STATUS = """id uri created_at account content visibility sensitive spoiler_text media_attachments application.name application.website
    mentions.id mentions.username mentions.url mentions.acct tags.name tags.url emojis reblogs_count favourites_count replies_count
    quotes_count url in_reply_to_id in_reply_to_account_id reblog poll card language edited_at quote quote_approval favourited reblogged
    muted bookmarked pinned filtered""".split()
STATUS += [f"account.{key}" for key in ACCOUNT] + [f"poll.{key}" for key in POLL]
RELATIONSHIP = """id following showing_reblogs notifying languages followed_by blocking blocked_by muting muting_notifications requested
    requested_by domain_blocking endorsed note""".split()
NOTIFICATION = "id type group_key created_at account.id account.acct status.id status.content".split()
LIMITS = """statuses.max_characters statuses.max_media_attachments statuses.characters_reserved_per_url
    media_attachments.supported_mime_types media_attachments.image_size_limit media_attachments.image_matrix_limit
    media_attachments.video_size_limit media_attachments.video_frame_rate_limit media_attachments.video_matrix_limit polls.max_options
    polls.max_characters_per_option polls.min_expiration polls.max_expiration accounts.max_featured_tags""".split()
INSTANCE_1 = """uri title short_description description email version urls.streaming_api stats.user_count stats.status_count
    stats.domain_count thumbnail languages registrations approval_required invites_enabled contact_account rules.id rules.text""".split()
INSTANCE_1 += [f"configuration.{key}" for key in LIMITS]
INSTANCE_2 = """domain title version source_url description usage.users.active_month thumbnail.url icon languages registrations.enabled
    registrations.approval_required registrations.message api_versions.mastodon contact.email contact.account rules.id rules.text
    configuration.urls.streaming configuration.vapid.public_key configuration.translation.enabled configuration.accounts.max_pinned_statuses
    configuration.media_attachments.description_limit""".split()
INSTANCE_2 += [f"configuration.{key}" for key in LIMITS]
TAG = "id name url history following featuring".split()
LIST = "id title replies_policy exclusive".split()
FILTER = """id title context expires_at filter_action keywords.id keywords.keyword keywords.whole_word statuses.id
    statuses.status_id""".split()
FILTER_1 = "id phrase context whole_word expires_at irreversible".split()
GROUPED = """accounts.id statuses.id notification_groups.group_key notification_groups.notifications_count notification_groups.type
    notification_groups.most_recent_notification_id notification_groups.page_min_id notification_groups.page_max_id
    notification_groups.latest_page_notification_at notification_groups.sample_account_ids""".split()
PREFERENCES = ["posting:default:visibility", "posting:default:sensitive", "posting:default:language", "reading:expand:media"]
PREFERENCES += ["reading:expand:spoilers"]
POLICY = """for_not_following for_not_followers for_new_accounts for_private_mentions for_limited_accounts
    summary.pending_requests_count summary.pending_notifications_count""".split()
ENTITIES = {
    "/api/v1/accounts/verify_credentials": CREDENTIAL_ACCOUNT,
    "/api/v1/accounts/{me}": ACCOUNT,
    "/api/v1/accounts/relationships?id[]={other}": RELATIONSHIP,
    "/api/v1/accounts/familiar_followers?id[]={other}": ["id", "accounts"],
    "/api/v1/accounts/{me}/featured_tags": "id name url statuses_count last_status_at".split(),
    "/api/v1/apps/verify_credentials": "id name website scopes redirect_uris".split(),
    "/api/v1/statuses/{post}": STATUS,
    "/api/v1/statuses/{post}/context": ["ancestors", "descendants.id"],
    "/api/v1/statuses/{post}/source": "id text spoiler_text".split(),
    "/api/v1/statuses/{post}/history": "content spoiler_text sensitive created_at account.id media_attachments emojis".split(),
    "/api/v1/statuses/{pictured}": [f"media_attachments.{key}" for key in MEDIA],
    "/api/v1/timelines/home": [key for key in STATUS if key.split(".")[0] not in ("poll", "mentions", "tags", "pinned")],
    "/api/v1/polls/{post}": POLL,
    "/api/v1/scheduled_statuses": "id scheduled_at media_attachments params.text params.visibility params.sensitive".split(),
    "/api/v1/notifications": NOTIFICATION,
    "/api/v2/notifications": GROUPED,
    "/api/v1/notifications/unread_count": ["count"],
    "/api/v2/notifications/unread_count": ["count"],
    "/api/v1/notifications/policy": ["summary.pending_requests_count", "summary.pending_notifications_count"],
    "/api/v2/notifications/policy": POLICY,
    "/api/v1/conversations": "id unread accounts.id last_status.id".split(),
    "/api/v1/markers?timeline[]=home": "home.last_read_id home.version home.updated_at".split(),
    "/api/v1/lists": LIST,
    "/api/v2/filters": FILTER,
    "/api/v1/filters": FILTER_1,
    "/api/v1/preferences": PREFERENCES,
    "/api/v1/followed_tags": TAG,
    "/api/v1/tags/hello": TAG,
    "/api/v1/featured_tags": "id name url statuses_count last_status_at".split(),
    "/api/v2/search?q=hello": "accounts statuses hashtags.name hashtags.url hashtags.history".split(),
    "/api/v1/instance": INSTANCE_1,
    "/api/v2/instance": INSTANCE_2,
    "/api/v1/instance/rules": ["id", "text"],
    "/api/v1/instance/extended_description": ["updated_at", "content"],
    "/nodeinfo/2.0": "version software.name software.version protocols services usage openRegistrations metadata".split(),
    "/.well-known/oauth-authorization-server": """issuer authorization_endpoint token_endpoint revocation_endpoint scopes_supported
        response_types_supported grant_types_supported app_registration_endpoint""".split(),
}


@pytest.fixture(scope="module")
def user(people, tmp_path_factory) -> Mastodon:
    """Somebody who has one of everything."""
    user, other = people.join("user"), people.join("other")
    follow((user, other), (other, user))
    user.account_update_credentials(fields=[("web", "https://example.org")], discoverable=True)
    other.account_update_credentials(fields=[("web", "https://example.org")])
    poll = user.make_poll(["a", "b"], 3600)
    post = user.status_post(f"@{other.name} #hello", spoiler_text="x", poll=poll)
    other.status_reply(post, "an answer")
    other.status_favourite(post)
    other.status_post(f"@{user.name}", visibility="direct")
    user.status_post("later", scheduled_at=datetime(2030, 1, 1, tzinfo=UTC))
    user.list_create("a list")
    user.tag_follow("hello")
    user.featured_tag_create("hello")
    made = user.create_filter_v2("a filter", ["account"], "warn", keywords_attributes=[{"keyword": "zebra", "whole_word": True}])
    user.add_filter_status_v2(made.id, post.id)
    user.markers_set(["home"], [post.id])
    picture = tmp_path_factory.mktemp("picture") / "picture.png"
    command = ["ffmpeg", "-loglevel", "error", "-f", "lavfi", "-i", "testsrc=size=64x64", "-frames:v", "1", picture]
    subprocess.run(command, check=True)
    pictured = user.status_post("look", media_ids=[user.media_post(str(picture), description="a test", synchronous=True)])
    user.names = {
        "me": user.me_id,
        "other": other.me_id,
        "name": user.name,
        "post": post.id,
        "pictured": pictured.id,
        "domain": people.url.partition("://")[2],
    }
    eventually("told", lambda: len(user.notifications()) == 4 and user.conversations())
    return user


@pytest.mark.parametrize("app", APPS)
def test_an_app_starts(user, app):
    for path in APPS[app]:
        answer = call(user, "GET", path.format(**user.names))
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        assert answer.json() is not None and answer.headers["content-type"].startswith("application/json")


def test_streaming_is_there(user):
    answer = call(user, "GET", "/api/v1/streaming/health")
    assert (answer.status_code, answer.text) == (200, "OK")


@pytest.mark.parametrize("route", MISSING)
def test_what_is_missing_is_missing(user, route):
    """The list is exact: what has been built must not stand in it."""
    method, path = route.split()
    url = user.api_base_url + path.format(**user.names)
    answer = HTTP.request(method, url, headers={"authorization": f"Bearer {user.access_token}"})
    assert answer.status_code in (404, 405), f"{route} is there: take it out of MISSING"


def lacking(value, keys: list[str]) -> list[str]:
    """Which of these keys an answer does not have; of lists the first that has the most is looked at."""

    def has(value, path: list[str]) -> bool:
        if not path:
            return True
        if isinstance(value, list):
            return any(has(one, path) for one in value)
        return isinstance(value, dict) and path[0] in value and has(value[path[0]], path[1:])

    return [key for key in keys if not has(value, [key] if ":" in key else key.split("."))]


@pytest.mark.parametrize("path", ENTITIES)
def test_entities_have_what_the_documentation_promises(user, path):
    answer = call(user, "GET", path.format(**user.names))
    assert lacking(answer.json(), ENTITIES[path]) == [], answer.text


def texts(value, path: str = ""):
    """Every value of an answer with the names that lead to it."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from texts(one, f"{path}.{key}")
    elif isinstance(value, list):
        for one in value:
            yield from texts(one, path)
    else:
        yield path, value


@pytest.mark.parametrize("path", [path for path in ENTITIES if path.startswith("/api/") and "instance" not in path])
def test_ids_are_texts_and_counts_are_numbers(user, path):
    for name, value in texts(call(user, "GET", path.format(**user.names)).json()):
        last = name.rpartition(".")[2]
        if value is not None and (last == "id" or last.endswith("_id")) and last != "application_id":
            assert isinstance(value, str), f"{name} is {value!r}"
        if last in ("followers_count", "following_count", "reblogs_count", "favourites_count", "replies_count", "votes_count"):
            assert isinstance(value, int) and not isinstance(value, bool), f"{name} is {value!r}"
        if value is not None and last.endswith("_at") and last not in ("last_status_at",):
            assert value.endswith("Z") and len(value) == 24, f"{name} is {value!r}"


def test_pages_of_other_origins_may_call(user):
    """Apps that are web pages: the API answers every origin, as Mastodon does, and lets them read what pages need."""
    asked = {"origin": "https://app.example", "access-control-request-method": "GET"}
    asked["access-control-request-headers"] = "authorization"
    for path in ["/api/v1/timelines/home", "/api/v2/instance", "/oauth/token", "/api/v1/apps"]:
        allowed = HTTP.options(user.api_base_url + path, headers=asked)
        assert allowed.status_code < 300 and allowed.headers["access-control-allow-origin"] in ("*", "https://app.example"), path
        headers = allowed.headers["access-control-allow-headers"].lower()
        assert headers == "*" or "authorization" in headers, path
        assert "access-control-allow-credentials" not in allowed.headers
    answer = call(user, "GET", "/api/v1/timelines/home", headers={"origin": "https://app.example"})
    assert answer.headers["access-control-allow-origin"] in ("*", "https://app.example")
    exposed = answer.headers["access-control-expose-headers"].lower()
    assert all(name in exposed for name in ["link", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "x-request-id"])
    for path in ["/v1/me", "/oauth/authorize", "/openapi.json"]:
        other = HTTP.get(user.api_base_url + path, headers={"origin": "https://app.example"})
        assert "access-control-allow-origin" not in other.headers, f"{path} is not the feed's"


def test_what_is_left_of_a_limit_is_told(user):
    first, second = (call(user, "GET", "/api/v1/preferences").headers for _ in range(2))
    limit, left = int(first["x-ratelimit-limit"]), int(first["x-ratelimit-remaining"])
    assert 0 < left < limit and int(second["x-ratelimit-limit"]) == limit and int(second["x-ratelimit-remaining"]) <= left
    reset = datetime.fromisoformat(first["x-ratelimit-reset"])
    assert reset > datetime.fromisoformat("2020-01-01T00:00:00Z") and first["x-ratelimit-reset"].endswith("Z")
    user.me()
    assert user.ratelimit_limit == limit, "Mastodon.py reads it"


def test_a_token_is_given_for_either_kind_of_form(user, people):
    client, secret = people.app
    asked = {"grant_type": "client_credentials", "client_id": client, "client_secret": secret, "scope": "read"}
    for form in [{"data": asked}, {"files": {name: (None, value) for name, value in asked.items()}}, {"json": asked}]:
        answer = HTTP.post(f"{people.url}/oauth/token", **form)
        assert answer.status_code == 200 and answer.json()["token_type"] == "Bearer", answer.text
    twice = [(name, (None, value)) for name, value in [*asked.items(), ("scope", "write")]]
    assert HTTP.post(f"{people.url}/oauth/token", files=twice).json()["error"] == "invalid_request"
    broken = HTTP.post(f"{people.url}/oauth/token", content=b"--x\r\nbroken", headers={"content-type": "multipart/form-data; boundary=x"})
    assert (broken.status_code, broken.json()["error"]) == (400, "invalid_request")


def test_pages_of_other_origins_may_show_pictures(user):
    urls = [user.me().header, user.status(user.names["pictured"]).media_attachments[0].url]
    for url in urls:
        answer = httpx.get(url)
        assert answer.headers.get("cross-origin-resource-policy") in (None, "cross-origin"), url
