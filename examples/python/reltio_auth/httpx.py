"""Reltio's access token from AWS Secrets Manager, for httpx.

    client = httpx.Client(auth=ReltioAuth("reltio-token-rotator/STACK/default/token"))
    client.get("https://dev.reltio.com/reltio/api/TENANT/entities")

For httpx.AsyncClient as well, under asyncio. The arguments are those of reltio_auth.ReltioAuth.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from typing import TYPE_CHECKING

import boto3
import httpx

from reltio_auth._source import TokenSource

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_secretsmanager import SecretsManagerClient


class ReltioAuth(httpx.Auth):
    """One a process; share it among clients."""

    def __init__(
        self,
        secret_id: str,
        function: str | None = None,
        *,
        session: boto3.Session | None = None,
        client: SecretsManagerClient | None = None,
        lambda_client: LambdaClient | None = None,
    ) -> None:
        self.source = TokenSource(
            secret_id, function, session=session, client=client, lambda_client=lambda_client
        )

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        token = self.source.token()
        request.headers["Authorization"] = f"Bearer {token.reveal()}"
        response = yield request
        if not _refused(response):
            return
        other = self.source.replacement(token)
        if other and _replayable(request):
            request.headers["Authorization"] = f"Bearer {other.reveal()}"
            if _refused((yield request)):
                self.source.refused_again(token)

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        token = await asyncio.to_thread(self.source.token)
        request.headers["Authorization"] = f"Bearer {token.reveal()}"
        response = yield request
        if not _refused(response):
            return
        other = await asyncio.to_thread(self.source.replacement, token)
        if other and _replayable(request):
            request.headers["Authorization"] = f"Bearer {other.reveal()}"
            if _refused((yield request)):
                self.source.refused_again(token)


def _refused(response: httpx.Response) -> bool:
    # Without the header: httpx took it away on the way to another host.
    return response.status_code == httpx.codes.UNAUTHORIZED and "Authorization" in response.request.headers


def _replayable(request: httpx.Request) -> bool:
    try:
        _ = request.content  # there where the body is not a stream
    except httpx.RequestNotRead:
        return False
    return True
