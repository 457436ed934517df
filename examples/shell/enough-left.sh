#!/bin/sh
# Starts a program with a token that was injected when its container started, if
# that token is valid for the program's time:
#
#   enough-left.sh SECONDS program [argument…]
#
# Reads RELTIO_TOKEN_VALID_UNTIL, the secret's key valid_until: the rotator does
# not end the token before. If the time does not suffice, this script waits until
# then and exits with 75 ("try again"), so that the next container gets the next
# token. Needs date of GNU or BusyBox.
set -eu

needed=$1
shift
valid_until=$(date -u -d "$(echo "$RELTIO_TOKEN_VALID_UNTIL" | tr T ' ' | tr -d Z)" +%s)
left=$((valid_until - $(date +%s)))
if [ "$needed" -le "$left" ]; then
  exec "$@"
fi
# Two minutes for the refresh.
pause=$((left + 120))
[ "$pause" -ge 0 ] || pause=0
echo "the token is not valid for $needed s; waiting $pause s for the next one" >&2
sleep "$pause"
exit 75
