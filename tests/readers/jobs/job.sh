#!/usr/bin/env bash
# Posts to the API once for every line of standard input and prints the status.
set -euo pipefail
# shellcheck source=examples/shell/reltio.sh
. "$RELTIO_SH"
while read -r _; do
  reltio_curl --location --data body "$RELTIO_API" && echo 200 || echo "curl's $?"
done
