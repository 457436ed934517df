"""Fetches each path of standard input as a partition of the Glue example does."""

import os
import sys

from fetch import fetch

paths = (line.strip() for line in sys.stdin)
for answer in fetch(paths, os.environ["RELTIO_API"], os.environ["RELTIO_SECRET"]):
    print(answer, flush=True)
