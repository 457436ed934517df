#!/usr/bin/env bash
# Entrypoint of a task of any length: every call has a token that lives. Put it
# beside examples/shell/reltio.sh in an image with bash, the AWS CLI, curl and jq.
#
# Reads a path a line from standard input, such as entities/0a1b2c3, and writes
# what the API answers to standard output.
set -euo pipefail
# shellcheck source=examples/shell/reltio.sh
. "$(dirname "$0")/reltio.sh"

while read -r path; do
  reltio_curl "$RELTIO_API/$path"
  echo
done
