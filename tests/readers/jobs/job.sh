# shellcheck shell=sh
# A job with reltio.sh. It carries out the orders of standard input: see reader in
# fixture_test.go.
set -eu
# shellcheck source=examples/shell/reltio.sh
. "$RELTIO_SH"
folder=$JOB_FOLDER # the test removes it

if [ -n "${CLOCK:-}" ]; then # a file with the seconds by which the clock is ahead, or =TIME where it stands
  date() {
    case $(cat "$CLOCK") in
    =*) cut -c 2- "$CLOCK" ;;
    *) echo $(($(command date +%s) + $(cat "$CLOCK"))) ;;
    esac
  }
fi

# call WHAT URL N is one request, the Nth at the same time.
call() {
  errors=$folder/$3.errors body=$folder/$3.body
  case $1 in
    get) set -- "$2" ;;
    text) set -- --data body "$2" ;;
    once)
      rm -f "$body"
      mkfifo "$body"
      { printf body >"$body"; : >"$body"; } &
      set -- --data-binary "@$body" "$2" ;;
  esac
  status=200
  reltio_curl --location "$@" >/dev/null 2>"$errors" ||
    status=$(sed -n 's/.*returned error: \([0-9]*\).*/\1/p; t done; $!d; s/.*/error/p; :done' "$errors" | tail -n 1)
  cat "$errors" >&2
  echo "$status"
}

many() {
  i=0
  while [ "$i" -lt "$3" ]; do
    call "$1" "$2" "$i" >"$folder/$i.status" &
    i=$((i + 1))
  done
  wait
  cat "$folder"/*.status | tr '\n' ' '
  echo
  rm "$folder"/*.status
}

while read -r order first second third; do
  case $order in
    start)
      unset _reltio_token _reltio_refused _reltio_reported _reltio_muted_until
      RELTIO_FUNCTION=${first#-}
      echo ok ;;
    show) echo ok ;; # a shell has no way to print it but its variables' names
    call) if [ "$third" = 1 ]; then call "$first" "$second" 0; else many "$first" "$second" "$third"; fi ;;
  esac
done
