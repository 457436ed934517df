# shellcheck shell=bash
# Reltio's access token from AWS Secrets Manager, for curl. Needs bash, the AWS
# CLI, curl 7.63 or later, jq and sha256sum.
#
#   export RELTIO_SECRET=reltio-token-rotator/STACK/default/token
#   . reltio.sh
#   reltio_curl https://dev.reltio.com/reltio/api/TENANT/entities >entities.json
#   reltio_curl --data @entities.json -H 'Content-Type: application/json' https://…
#
# reltio_curl takes curl's arguments, except that standard input, --fail and
# --write-out are its own, and returns 22 where the answer is an HTTP error.
# The token is in no command line, file or environment.
#
# A refresh ends the old token at once: on a 401 the secret is read again, for up
# to 5 s until it holds another token, and the request is sent once more. The
# token is cached in this shell (not in a $(…)) for 5 minutes at most and never
# past its end. With RELTIO_FUNCTION, the stack's output FunctionName, a token
# that is refused although it is the one in the secret is reported (the role
# needs ReporterPolicyArn), so that it is replaced in seconds.

reltio_curl() {
  if (($(date +%s) >= ${_reltio_read_again:-0})); then
    _reltio_read || return
  fi
  local refused=$_reltio_token
  _reltio_send "$@"
  if [[ $_reltio_status == 401 ]] && _reltio_replace "$refused"; then
    _reltio_send "$@"
    if [[ $_reltio_status == 401 && $refused == "${_reltio_reported:-}" ]]; then
      # Not the token's fault: more reports would end good tokens.
      _reltio_mute_until=$((SECONDS + 900))
    fi
  fi
  [[ -z $_reltio_error ]] || printf '%s\n' "$_reltio_error" >&2
  return "$_reltio_result"
}

# _reltio_send lets the body through, and keeps what curl says and the status.
_reltio_send() {
  _reltio_result=0
  { _reltio_error=$(printf 'Authorization: Bearer %s' "$_reltio_token" |
    curl --silent --show-error --fail --header @- --write-out '%{stderr}%{http_code}' "$@" 2>&1 >&3); } 3>&1 || _reltio_result=$?
  _reltio_status=${_reltio_error: -3}
  _reltio_error=${_reltio_error%???}
  _reltio_error=${_reltio_error%$'\n'}
}

_reltio_read() {
  local secret fields now
  now=$(date +%s)
  secret=$(aws secretsmanager get-secret-value --secret-id "$RELTIO_SECRET" --version-stage AWSCURRENT --output json) || return
  fields=$(printf '%s' "$secret" | jq -er '(.SecretString | fromjson) as $token |
    [$token.access_token, ($token.expires_at | fromdateiso8601), (.Name | split("/")[-2])] | @tsv') || return
  IFS=$'\t' read -r _reltio_token _reltio_read_again _reltio_connection < <(printf '%s\n' "$fields")
  ((_reltio_read_again < now + 300)) || _reltio_read_again=$((now + 300))
}

# _reltio_replace finds another token than the refused one.
_reltio_replace() {
  local refused=$1 fingerprint
  _reltio_read && [[ $_reltio_token != "$refused" ]] && return
  if [[ $refused == "${_reltio_searched:-}" ]] && ((SECONDS < _reltio_search_again)); then
    return 1 # once a minute is enough
  fi
  _reltio_searched=$refused _reltio_search_again=$((SECONDS + 60))
  _reltio_published "$refused" && return
  if [[ -z ${RELTIO_FUNCTION:-} ]] || ((SECONDS < ${_reltio_mute_until:-0})); then
    return 1
  fi
  _reltio_reported=$refused
  fingerprint=$(printf '%s' "$refused" | sha256sum | cut -c 1-16)
  printf '{"action":"refresh","connections":["%s"],"dead_token":"%s"}' "$_reltio_connection" "$fingerprint" |
    aws lambda invoke --function-name "$RELTIO_FUNCTION" --payload fileb:///dev/stdin /dev/null >/dev/null || return
  _reltio_published "$refused"
}

# _reltio_published waits for another token: it is written an instant after the
# old one has died.
_reltio_published() {
  local refused=$1 deadline=$((SECONDS + 5))
  until _reltio_read && [[ $_reltio_token != "$refused" ]]; do
    ((SECONDS < deadline)) || return 1
    sleep 0.5
  done
}
