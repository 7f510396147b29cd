"""An outside OpenID Connect provider that the tests lead: it signs with joserfc, keeps PKCE and codes as the specification
says, and otherwise says and does what a test asks of it, wrong things and nothing at all included."""

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

KEYS = {
    "RS256": RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"}, private=True),
    "ES256": ECKey.generate_key("P-256", {"kid": "ec", "use": "sig"}, private=True),
    "EdDSA": OKPKey.generate_key("Ed25519", {"kid": "ed", "use": "sig"}, private=True),
}
CLIENT, SECRET = "decalog & sons", "a secret:with/letters that need care"
FLOOD = 200 * 1024 * 1024


def encoded(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class OpenIdProvider:
    """A provider on a port of its own. `subject` is who its next visitor is."""

    def __init__(self) -> None:
        self.subject = "248289761001"
        self.claims: dict = {}
        self.algorithm = "RS256"
        # Makes the ID token out of its claims; by default it is signed as it should be.
        self.sign: Callable[[dict], str] = self.signed
        # "", or how every request is treated: "hang", "flood", "error".
        self.mood = ""
        self.codes: dict[str, tuple[dict, dict]] = {}
        self.requests: list[str] = []
        self.released = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.server.daemon_threads = True
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Ends it; whoever hangs is let go."""
        self.released.set()
        self.server.shutdown()
        self.server.server_close()

    def signed(self, claims: dict) -> str:
        """An ID token, signed by the algorithm of the day."""
        key = KEYS[self.algorithm]
        return jwt.encode({"alg": self.algorithm, "kid": key.kid}, claims, key, algorithms=[self.algorithm])

    @staticmethod
    def unsigned(claims: dict) -> str:
        """`alg: none`."""
        head = encoded(json.dumps({"alg": "none"}).encode())
        return f"{head}.{encoded(json.dumps(claims).encode())}."

    @staticmethod
    def confused(claims: dict) -> str:
        """HS256, keyed with the public RSA key that everybody can have."""
        head = encoded(json.dumps({"alg": "HS256", "kid": "rsa"}).encode())
        message = f"{head}.{encoded(json.dumps(claims).encode())}"
        tag = hmac.new(KEYS["RS256"].as_pem(private=False), message.encode(), hashlib.sha256).digest()
        return f"{message}.{encoded(tag)}"

    @staticmethod
    def forged(claims: dict) -> str:
        """RS256, by another key of the same name."""
        key = RSAKey.generate_key(2048, {"kid": "rsa"}, private=True)
        return jwt.encode({"alg": "RS256", "kid": "rsa"}, claims, key, algorithms=["RS256"])

    def authorize(self, query: dict[str, str]) -> str:
        """Somebody says yes: where their browser is sent."""
        assert query["response_type"] == "code" and query["code_challenge_method"] == "S256", query
        assert query["client_id"] == CLIENT and "openid" in query["scope"].split(), query
        now = int(time.time())
        claims = {"iss": self.issuer, "sub": self.subject, "aud": CLIENT, "iat": now, "exp": now + 300}
        claims |= {"nonce": query["nonce"]} | self.claims
        code = secrets.token_urlsafe(16)
        self.codes[code] = (query, claims)
        answer = {"code": code, "state": query["state"], "iss": self.issuer}
        return f"{query['redirect_uri']}?{urlencode(answer)}"

    def redeem(self, form: dict[str, str], authorization: str) -> tuple[int, dict]:
        """Code for tokens, once, for who shows the verifier and the client's secret."""
        name, secret = base64.b64decode(authorization.removeprefix("Basic ")).decode().split(":")
        if (unquote_plus(name), unquote_plus(secret)) != (CLIENT, SECRET):
            return 401, {"error": "invalid_client"}
        query, claims = self.codes.pop(form.get("code", ""), (None, None))
        verifier = form.get("code_verifier", "")
        if query is None or form.get("redirect_uri") != query["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        if encoded(hashlib.sha256(verifier.encode()).digest()) != query["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        return 200, {"id_token": self.sign(claims), "access_token": secrets.token_urlsafe(), "token_type": "Bearer"}

    def describe(self) -> dict:
        """Its metadata."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "authorization_response_iss_parameter_supported": True,
        }

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """What answers its requests."""
        provider = self

        class Handler(BaseHTTPRequestHandler):
            """One connection."""

            def log_message(self, *_) -> None:
                """Says nothing."""

            def answer(self, status: int, body: dict) -> None:
                """JSON."""
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def in_a_mood(self) -> bool:
                """Treats the request as the mood is."""
                provider.requests.append(self.path)
                if provider.mood == "hang":
                    provider.released.wait(60)
                    self.close_connection = True
                elif provider.mood == "flood":
                    self.send_response(200)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(FLOOD))
                    self.end_headers()
                    try:
                        for _ in range(FLOOD // 65536):
                            self.wfile.write(b" " * 65536)
                    except OSError:
                        self.close_connection = True
                elif provider.mood == "error":
                    self.answer(500, {})
                return bool(provider.mood)

            def do_GET(self) -> None:
                """The description, the keys, and people."""
                parts = urlsplit(self.path)
                if self.in_a_mood():
                    return
                if parts.path == "/.well-known/openid-configuration":
                    self.answer(200, provider.describe())
                elif parts.path == "/keys":
                    self.answer(200, {"keys": [key.as_dict(private=False) for key in KEYS.values()]})
                elif parts.path == "/authorize":
                    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                    self.send_response(303)
                    self.send_header("Location", provider.authorize(query))
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                else:
                    self.answer(404, {})

            def do_POST(self) -> None:
                """The token endpoint."""
                text = self.rfile.read(int(self.headers["Content-Length"])).decode()
                if self.in_a_mood():
                    return
                form = {name: values[0] for name, values in parse_qs(text).items()}
                self.answer(*provider.redeem(form, self.headers.get("Authorization", "")))

        return Handler
