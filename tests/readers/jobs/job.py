"""A job with ReltioAuth. It carries out the orders of standard input: see job in fixture_test.go."""

import logging
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import boto3

if "CLOCK" in os.environ:  # a file with the seconds by which the clock is ahead, or =TIME where it stands
    now = time.time

    def clock():
        text = open(os.environ["CLOCK"]).read() or "0"
        return int(text[1:]) if text.startswith("=") else now() + int(text)

    time.time = clock

logging.basicConfig(level=logging.INFO)
logging.getLogger("reltio_auth").setLevel(logging.DEBUG)


def start(function):
    """A client that reports to function; the ways to give credentials take turns."""
    secret = os.environ["RELTIO_SECRET"]
    if os.environ["JOB"] == "httpx":
        import httpx
        from reltio_auth.httpx import ReltioAuth

        clients = {"client": boto3.client("secretsmanager"), "lambda_client": boto3.client("lambda")}
        return httpx.Client(auth=ReltioAuth(secret, function, **clients), follow_redirects=True, timeout=60)
    import requests
    from reltio_auth import ReltioAuth

    session = requests.Session()
    session.auth = ReltioAuth(secret, function, session=boto3.Session())
    return session


def call(client, what, url):
    try:
        if what == "get":
            return client.get(url).status_code
        body = b"body" if what == "text" else iter([b"body"])
        if os.environ["JOB"] == "httpx":
            return client.post(url, content=body).status_code
        return client.post(url, data=body).status_code
    except Exception as error:
        logging.error("%s", error)
        return f"error:{type(error).__name__}"


def show(client):
    auth = client.auth
    token = auth.source.token()
    for thing in (auth, auth.source, token):
        print(thing, repr(thing), vars(thing), [thing], file=sys.stderr)


client = None
for line in sys.stdin:
    order, *arguments = line.split()
    if order == "start":
        client = start(None if arguments[0] == "-" else arguments[0])
        print("ok", flush=True)
    elif order == "show":
        show(client)
        print("ok", flush=True)
    else:
        what, url, n = arguments
        if n == "1":
            print(call(client, what, url), flush=True)
        else:
            with ThreadPoolExecutor(int(n)) as threads:
                print(*threads.map(lambda _: call(client, what, url), range(int(n))), flush=True)
