#!/usr/bin/env bash
# Starts a program with a token that was injected when its container started,
# if that token is sure to live for the program's time:
#
#   enough-left.sh SECONDS program [argument…]
#
# Reads RELTIO_TOKEN_EXPIRES_AT, the secret's key expires_at, and
# RELTIO_REFRESH_BEFORE, the stack's RefreshBeforeSeconds (600). A refresh ends
# the old token at once, and comes by that time, and a fifth of it, before
# expires_at: what is left after that does not count.
#
# Where it is not enough, waits until the refresh is over and ends with 75 ("try
# again"): the container that is started next gets the new token. Needs bash and
# GNU date.
set -euo pipefail

needed=$1
shift
window=${RELTIO_REFRESH_BEFORE:-600}
expires_at=$(date -d "$RELTIO_TOKEN_EXPIRES_AT" +%s)
now=$(date +%s)
if ((now + needed <= expires_at - window * 6 / 5)); then
  exec "$@"
fi
pause=$((expires_at - window + 90 - now))
((pause > 0)) || pause=0
echo "the token is not sure to live for $needed s; waiting $pause s for the next one" >&2
sleep "$pause"
exit 75
