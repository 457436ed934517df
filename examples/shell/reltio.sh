# shellcheck shell=sh
# Reltio's access token from AWS Secrets Manager, for curl. For any POSIX shell
# whose printf is built in, as bash's, dash's and BusyBox's are; with the AWS CLI,
# curl 7.63 or later, jq and sha256sum.
#
#   RELTIO_SECRET=reltio-token-rotator/STACK/default/token
#   . ./reltio.sh
#   reltio_curl https://dev.reltio.com/reltio/api/TENANT/entities >entities.json
#   reltio_curl --data @entities.json -H 'Content-Type: application/json' https://…
#
# reltio_curl takes curl's arguments, except that standard input, --fail and
# --write-out are its own, and returns 22 where the response is an HTTP error.
# The token is in no command line, file or environment; set -x would show it. The
# token is kept in this shell, not in a $(…) or a pipeline, which read their own.
#
# With RELTIO_FUNCTION, the stack's output FunctionName, a token that is refused
# although it is the one in the secret is reported (the role needs
# ReporterPolicyArn), so that it is replaced in seconds. What this does on which
# occasion stands in docs/reading-the-token.md, "What a reader does".

reltio_curl() {
  _reltio_get || return
  _reltio_sent=$_reltio_token
  _reltio_send "$@"
  if [ "$_reltio_status" = 401 ] && _reltio_replace && _reltio_replayable "$@"; then
    _reltio_send "$@"
    if [ "$_reltio_status" = 401 ] && [ "$_reltio_sent" = "${_reltio_reported:-}" ]; then
      # The 401 has another cause: more reports would end good tokens.
      _reltio_muted_until=$(($(date +%s) + 900))
    fi
  fi
  [ -z "$_reltio_error" ] || printf '%s\n' "$_reltio_error" >&2
  return "$_reltio_result"
}

# _reltio_get makes sure that _reltio_token may be used now.
_reltio_get() {
  if [ -n "${_reltio_token:-}" ] && [ "$_reltio_token" != "${_reltio_refused:-}" ]; then
    _reltio_now=$(date +%s)
    [ "$_reltio_now" -ge "$_reltio_read_again" ] || return 0
    _reltio_read && return
    # The read has failed: the old token serves until it has expired.
    [ "$_reltio_now" -lt "$_reltio_expires_at" ] || return 1
    _reltio_read_again=$((_reltio_now + 10))
    [ "$_reltio_read_again" -le "$_reltio_expires_at" ] || _reltio_read_again=$_reltio_expires_at
  else
    _reltio_read
  fi
}

# _reltio_send passes the body through, and keeps curl's error and the status.
_reltio_send() {
  _reltio_result=0
  { _reltio_error=$(printf 'Authorization: Bearer %s' "$_reltio_token" |
    curl --silent --show-error --fail --header @- --write-out '%{stderr}%{num_redirects} %{http_code}' "$@" 2>&1 >&3); } 3>&1 || _reltio_result=$?
  _reltio_status=${_reltio_error##*[!0-9]}
  _reltio_error=${_reltio_error%?"$_reltio_status"}
  # A redirected request's 401 may be another host's, which did not get the token.
  [ "${_reltio_error##*[!0-9]}" = 0 ] || _reltio_status="redirected $_reltio_status"
  _reltio_error=${_reltio_error%"${_reltio_error##*[!0-9]}"}
  _reltio_error=${_reltio_error%"$_reltio_newline"}
}
_reltio_newline='
'

_reltio_read() {
  _reltio_now=$(date +%s)
  _reltio_fields=$(aws secretsmanager get-secret-value --secret-id "$RELTIO_SECRET" --version-stage AWSCURRENT --output json |
    jq -er '(.Name | split("/")[-2] // "") as $connection | (.SecretString | fromjson) as $token |
      ($token.access_token | strings | select(. != "")) + " " +
      ([$token.expires_at, $token.valid_until // $token.expires_at | fromdateiso8601 | tostring] | join(" ")) + " " + $connection' 2>/dev/null) || _reltio_fields=
  [ -n "$_reltio_fields" ] || { # jq 1.6 takes no input for success
    echo "the token secret $RELTIO_SECRET could not be read, or holds no token" >&2
    return 1
  }
  # Without a here-document, which some shells write into a file.
  _reltio_token=${_reltio_fields%% *} _reltio_fields=${_reltio_fields#* }
  _reltio_expires_at=${_reltio_fields%% *} _reltio_fields=${_reltio_fields#* }
  _reltio_valid_until=${_reltio_fields%% *} _reltio_connection=${_reltio_fields#* }
  if [ "$_reltio_now" -ge "$_reltio_valid_until" ]; then
    _reltio_read_again=$((_reltio_now + 10))
  else
    _reltio_read_again=$((_reltio_now + 300))
    [ "$_reltio_read_again" -le "$_reltio_valid_until" ] || _reltio_read_again=$_reltio_valid_until
  fi
  [ "$_reltio_read_again" -le "$_reltio_expires_at" ] || _reltio_read_again=$_reltio_expires_at
}

# _reltio_replace finds another token than the one that was sent.
_reltio_replace() {
  if [ "$_reltio_sent" = "${_reltio_refused:-}" ] && [ "$(date +%s)" -lt "$_reltio_search_again" ]; then
    _reltio_other # once a minute is enough
    return
  fi
  _reltio_refused=$_reltio_sent
  _reltio_search_again=$(($(date +%s) + 60))
  _reltio_search && return
  # Whether it is still the published one has to be known before it is reported.
  if [ "$_reltio_known" = no ] || [ -z "${RELTIO_FUNCTION:-}" ] || [ "$(date +%s)" -lt "${_reltio_muted_until:-0}" ]; then
    return 1
  fi
  _reltio_reported=$_reltio_sent
  _reltio_fingerprint=$(printf '%s' "$_reltio_sent" | sha256sum | cut -c 1-16)
  printf '{"action":"refresh","connections":["%s"],"dead_token":"%s"}' "$_reltio_connection" "$_reltio_fingerprint" |
    aws lambda invoke --function-name "$RELTIO_FUNCTION" --qualifier report --payload fileb:///dev/stdin /dev/null >/dev/null || return
  _reltio_search
}

# _reltio_search reads for five seconds: another token is written an instant after
# the old one has ended. The last read begins after that time.
_reltio_search() {
  _reltio_deadline=$(($(date +%s) + 5))
  while :; do
    _reltio_left=$((_reltio_deadline - $(date +%s)))
    _reltio_other && return
    [ "$_reltio_left" -gt 0 ] || return 1
    sleep 0.5 2>/dev/null || sleep 1
  done
}

_reltio_other() {
  _reltio_known=no
  _reltio_read || return
  _reltio_known=yes
  [ "$_reltio_token" != "$_reltio_sent" ]
}

# _reltio_replayable reports whether curl can read its body once more: a pipe is
# empty by now.
_reltio_replayable() {
  for _reltio_argument; do
    for _reltio_file in "$_reltio_argument" "${_reltio_argument#-?}" "${_reltio_argument#*=}" "${_reltio_argument#*[@<]}"; do
      [ ! -p "$_reltio_file" ] || return 1
    done
  done
}
