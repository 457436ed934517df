"""Spark job for AWS Glue that fetches entities from Reltio; see job.yaml.

Every partition makes a session of its own on its executor and reads the token
there when it needs it, so that the job may run for longer than a token lives.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable, Iterator

import requests
from reltio_auth import ReltioAuth


def fetch(paths: Iterable[str], api: str, secret: str) -> Iterator[str]:
    """What Reltio's API answers to each path."""
    with requests.Session() as session:
        session.auth = ReltioAuth(secret)
        for path in paths:
            response = session.get(f"{api}/{path}", timeout=60)
            response.raise_for_status()
            yield response.text


def main() -> None:
    from awsglue.utils import getResolvedOptions
    from pyspark.sql import SparkSession

    options = getResolvedOptions(sys.argv, ["api", "token_secret", "paths", "output"])
    paths = SparkSession.builder.getOrCreate().sparkContext.textFile(options["paths"])
    part = functools.partial(fetch, api=options["api"], secret=options["token_secret"])
    paths.mapPartitions(part).saveAsTextFile(options["output"])


if __name__ == "__main__":
    main()
