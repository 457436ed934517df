"""The job as it is usually written in Python, to compare with: a Lambda function
that reads the credentials secret, asks for a token with the refresh grant, and
writes the token secret. Well made, but with none of the rotator's care: no
lease, no state, no saving of a changed refresh token, no alarms.
"""

import base64
import json
import os
import urllib.parse

import boto3
import urllib3

secrets = boto3.client("secretsmanager")
http = urllib3.PoolManager(timeout=20.0, retries=False)


def handler(event, context):
    stored = secrets.get_secret_value(SecretId=os.environ["CREDENTIALS_SECRET"])
    credentials = json.loads(stored["SecretString"])
    basic = base64.b64encode(f"{credentials['client_id']}:{credentials['client_secret']}".encode()).decode()
    response = http.request(
        "POST",
        os.environ["TOKEN_URL"],
        body=urllib.parse.urlencode({"grant_type": "refresh_token", "refresh_token": credentials["refresh_token"]}),
        headers={
            "Authorization": "Basic " + basic,
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        },
    )
    if response.status != 200:
        raise RuntimeError(f"the token endpoint answered {response.status}")
    secrets.put_secret_value(SecretId=os.environ["TOKEN_SECRET"], SecretString=response.data.decode())
    return "refreshed"
