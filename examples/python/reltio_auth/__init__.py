"""Reltio's access token from AWS Secrets Manager, for requests; reltio_auth.httpx is for httpx.

    session = requests.Session()
    session.auth = ReltioAuth("reltio-token-rotator/STACK/default/token")
    session.get("https://dev.reltio.com/reltio/api/TENANT/entities")

The secret's ARN, TokenSecretArn, says the region too, where nothing else does. Give `function`, the
output FunctionName, to report a token that Reltio refuses although it is the one in the secret (the
role needs ReporterPolicyArn): it is then replaced in seconds. Give `session` (a boto3.Session) or
`client` (and `lambda_client`) where the default credentials are not the right ones.

What it does on which occasion stands in docs/reading-the-token.md, "What a reader does".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
from requests import PreparedRequest, Response
from requests.auth import AuthBase
from requests.exceptions import UnrewindableBodyError
from requests.utils import rewind_body

from reltio_auth._source import Token, TokenError, TokenSource

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_secretsmanager import SecretsManagerClient

__all__ = ["ReltioAuth", "Token", "TokenError", "TokenSource"]


class ReltioAuth(AuthBase):
    """One a process, made in it: on Spark inside mapPartitions, not on the driver."""

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

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        token = self.source.token()
        request.headers["Authorization"] = f"Bearer {token.reveal()}"

        def answer(response: Response, **kwargs: Any) -> Response:
            return self._answer(token, response, **kwargs)

        request.hooks["response"].append(answer)
        return request

    def _answer(self, token: Token, response: Response, **kwargs: Any) -> Response:
        # Without the header: requests took it away on the way to another host.
        if response.status_code != 401 or "Authorization" not in response.request.headers:
            return response
        other = self.source.replacement(token)
        if not other:
            return response
        again = response.request.copy()
        if again.body is not None and not isinstance(again.body, (bytes, str)):
            try:
                rewind_body(again)
            except UnrewindableBodyError:
                return response
        again.headers["Authorization"] = f"Bearer {other.reveal()}"
        _ = response.content  # so that the connection can be used again
        response.close()
        result: Response = response.connection.send(again, **kwargs)
        result.history.append(response)
        result.request = again
        if result.status_code == 401:
            self.source.refused_again(token)
        return result
