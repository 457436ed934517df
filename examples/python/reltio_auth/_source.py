from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_secretsmanager import SecretsManagerClient

log = logging.getLogger("reltio_auth")

MAX_AGE = 300  # how long a token is used without reading the secret again
READ_INTERVAL = 10  # the pause between reads past valid_until, and after a read that failed
PATIENCE = 5  # how long the secret may lag behind a refresh
SEARCH_INTERVAL = 60  # how often one refused token is searched for and reported
MUTE_INTERVAL = 900  # no reports after a token that a report brought was refused as well
READ = Config(connect_timeout=3, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 2})
REPORT = Config(connect_timeout=3, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 1})


class TokenError(Exception):
    """The secret holds no token. The text shows nothing of what it holds."""


class Token:
    """An access token as the secret held it. Only reveal() shows its value."""

    def __init__(self, document: str, secret_name: str) -> None:
        try:
            fields = json.loads(document)
            value = fields.get("access_token")
            self.expires_at = _seconds(fields["expires_at"]) if value else 0.0
            self.valid_until = _seconds(fields.get("valid_until") or fields["expires_at"]) if value else 0.0
        except (ValueError, TypeError, AttributeError, KeyError):
            raise TokenError("the token secret is not the JSON that the rotator writes") from None
        if not value or not isinstance(value, str):
            raise TokenError("the token secret has no access_token; is it the credentials secret?")
        self._reveal: Callable[[], str] = lambda: value  # a closure, so that vars() does not show it
        self.connection = secret_name.split("/")[-2] if "/" in secret_name else ""  # PREFIX/NAME/token

    def reveal(self) -> str:
        """The token itself, for the Authorization header."""
        return self._reveal()

    @property
    def fingerprint(self) -> str:
        """The first 16 hex digits of its SHA-256: enough to compare tokens, useless to others."""
        return hashlib.sha256(self.reveal().encode()).hexdigest()[:16]

    def __repr__(self) -> str:
        return "[redacted]"


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class TokenSource:
    """Gives the current access token. A process needs one for each token secret; threads share it.

    While one thread reads the secret or searches for a new token, the others wait for it.
    """

    def __init__(
        self,
        secret_id: str,
        function: str | None = None,
        *,
        session: boto3.Session | None = None,
        client: SecretsManagerClient | None = None,
        lambda_client: LambdaClient | None = None,
    ) -> None:
        region = secret_id.split(":")[3] if secret_id.startswith("arn:") else None
        if client is None or (function and lambda_client is None):
            session = session or boto3.Session()
            client = client or session.client("secretsmanager", region_name=region, config=READ)
            if function:
                lambda_client = lambda_client or session.client("lambda", region_name=region, config=REPORT)
        self._secret_id, self._secrets = secret_id, client
        self._function, self._lambda = function, lambda_client
        self._lock = threading.Lock()
        self._current: Token | None = None
        self._read_again = 0.0
        self._refused = ""  # the fingerprint of the last refused token: not used again without a read
        self._search_again = 0.0
        self._reported = ""
        self._muted_until = 0.0

    def token(self) -> Token:
        """The token to use now. Raises what boto3 raises, or TokenError."""
        with self._lock:
            token = self._current if self._current and self._current.fingerprint != self._refused else None
            if token and time.time() < self._read_again:
                return token
            try:
                return self._read()
            except (BotoCoreError, ClientError, TokenError) as error:
                if not token or time.time() >= token.expires_at:
                    raise
                log.warning("the token secret could not be read; its last token serves: %s", error)
                self._read_again = min(time.time() + READ_INTERVAL, token.expires_at)
                return token

    def replacement(self, token: Token) -> Token | None:
        """Another token than one that was refused, or None where there is none.

        It reads the secret for up to five seconds, since the old token ends an instant before the
        new one is written; then it reports the token and reads for five seconds more. It searches
        for each token once a minute at most; in between it reads once.
        """
        with self._lock:
            if self._current and self._current.reveal() != token.reveal():
                return self._current
            try:
                if token.fingerprint == self._refused and time.time() < self._search_again:
                    return self._other(token)
                self._refused, self._search_again = token.fingerprint, time.time() + SEARCH_INTERVAL
                other = self._search(token)
                if not other and self._function and time.time() >= self._muted_until:
                    self._report(token)
                    other = self._search(token)
            except (BotoCoreError, ClientError, TokenError) as error:
                log.warning("a token was refused, and: %s", error)
                return None
            return other

    def refused_again(self, token: Token) -> None:
        """Takes note that the replacement of a refused token was refused as well.

        Where a report brought it, the 401 has another cause, and more reports would end good tokens.
        """
        if token.fingerprint == self._reported:
            self._muted_until = time.time() + MUTE_INTERVAL

    def _search(self, token: Token) -> Token | None:
        """Reads until the secret holds another token; None if it does not in time."""
        deadline, pause = time.monotonic() + PATIENCE, 0.125
        while True:
            last = time.monotonic() + pause > deadline
            try:
                other = self._other(token)
                if other or last:
                    return other
            except (BotoCoreError, ClientError, TokenError):
                if last:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, 1)

    def _other(self, token: Token) -> Token | None:
        other = self._read()
        return None if other.reveal() == token.reveal() else other

    def _read(self) -> Token:
        now = time.time()
        secret = self._secrets.get_secret_value(SecretId=self._secret_id, VersionStage="AWSCURRENT")
        token = Token(secret.get("SecretString", ""), secret["Name"])
        again = min(now + MAX_AGE, token.valid_until) if now < token.valid_until else now + READ_INTERVAL
        self._current, self._read_again = token, min(again, token.expires_at)
        return token

    def _report(self, token: Token) -> None:
        event: dict[str, Any] = {
            "action": "refresh",
            "connections": [token.connection],
            "dead_token": token.fingerprint,
        }
        self._reported = token.fingerprint
        if self._lambda and self._function:
            self._lambda.invoke(FunctionName=self._function, Qualifier="report", Payload=json.dumps(event))
