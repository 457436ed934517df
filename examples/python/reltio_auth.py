"""Reltio's access token from AWS Secrets Manager, for requests (needs boto3).

    session = requests.Session()
    session.auth = ReltioAuth("reltio-token-rotator/STACK/default/token")
    session.get("https://dev.reltio.com/reltio/api/TENANT/entities")

A refresh ends the old token at once: on a 401 the secret is read again, for up
to 5 s until it holds another token, and the request is sent once more. The
token is cached for 5 minutes at most, never past its end; threads share it; it
does not follow a redirect to another host. The secret's ARN, TokenSecretArn,
says the region too, where nothing else does. Give `function`, the stack's output
FunctionName, to report a token that Reltio refuses although it is the one in
the secret (the role needs ReporterPolicyArn): it is then replaced in seconds.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
from datetime import datetime
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from requests import PreparedRequest, Response
from requests.auth import AuthBase
from requests.exceptions import UnrewindableBodyError
from requests.utils import rewind_body

log = logging.getLogger(__name__)


class ReltioAuth(AuthBase):
    """One a process, made in it: on Spark inside mapPartitions, not on the driver."""

    def __init__(self, secret_id: str, function: str | None = None) -> None:
        self._secret_id, self._function = secret_id, function
        region = secret_id.split(":")[3] if secret_id.startswith("arn:") else None
        self._secrets = boto3.client("secretsmanager", region_name=region)
        self._lambda = boto3.client("lambda", region_name=region) if function else None
        self._lock = threading.Lock()
        self._token, self._connection, self._read_again = "", "", 0.0
        self._searched, self._search_again = "", 0.0
        self._reported, self._mute_until = "", 0.0

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        with self._lock:
            token = self._token if time.time() < self._read_again else self._read()
        request.headers["Authorization"] = f"Bearer {token}"
        request.hooks["response"].append(self._answer)
        return request

    def _answer(self, response: Response, **kwargs: Any) -> Response:
        refused = str(response.request.headers.get("Authorization", ""))[len("Bearer ") :]
        # Without the header: requests took it away on the way to another host.
        if response.status_code != 401 or not refused:
            return response
        again = response.request.copy()
        try:
            if again.body is not None and not isinstance(again.body, (bytes, str)):
                rewind_body(again)
            with self._lock:
                token = self._replacement(refused)
        except (BotoCoreError, ClientError, UnrewindableBodyError) as error:
            log.warning("the token was refused, and: %s", error)
            self._read_again = 0.0
            return response
        if not token:
            return response
        again.headers["Authorization"] = f"Bearer {token}"
        _ = response.content  # so that the connection can be used again
        response.close()
        result: Response = response.connection.send(again, **kwargs)
        result.history.append(response)
        result.request = again
        if result.status_code == 401 and refused == self._reported:
            # Not the token's fault: more reports would end good tokens.
            self._mute_until = time.time() + 900
        return result

    def _replacement(self, refused: str) -> str:
        """Another token than the refused one, or "". The caller holds the lock."""
        if self._token != refused or self._read() != refused:
            return self._token
        if refused == self._searched and time.time() < self._search_again:
            return ""  # once a minute is enough
        self._searched, self._search_again = refused, time.time() + 60
        if self._published(refused):
            return self._token
        if not self._lambda or not self._function or time.time() < self._mute_until:
            return ""
        self._reported = refused
        fingerprint = hashlib.sha256(refused.encode()).hexdigest()[:16]
        event = {"action": "refresh", "connections": [self._connection], "dead_token": fingerprint}
        self._lambda.invoke(FunctionName=self._function, Payload=json.dumps(event))
        return self._token if self._published(refused) else ""

    def _published(self, refused: str) -> bool:
        """Waits for another token: it is written an instant after the old one has died."""
        deadline = time.monotonic() + 5
        while self._read() == refused:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.5)
        return True

    def _read(self) -> str:
        now = time.time()
        secret = self._secrets.get_secret_value(SecretId=self._secret_id, VersionStage="AWSCURRENT")
        value = json.loads(secret["SecretString"])
        expires_at = datetime.fromisoformat(value["expires_at"].replace("Z", "+00:00")).timestamp()
        self._token, self._read_again = value["access_token"], min(now + 300, expires_at)
        self._connection = secret["Name"].split("/")[-2]  # PREFIX/NAME/token
        return self._token
