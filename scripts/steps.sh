# Sourced by scripts/check and scripts/test: runs one step at a time and says in one line how each went.
# COMPUTE_LEDGER_STEPS names the file that collects the lines, so that the outermost script can sum them up.
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
PATH="$PWD/.venv/bin:$PATH"
TIMEFORMAT=%1R

steps_folder=$(mktemp -d)
trap 'rm -rf "$steps_folder"' EXIT
steps_log="$steps_folder/log"
steps_failed=0
: "${COMPUTE_LEDGER_STEPS:=$steps_folder/steps}"
export COMPUTE_LEDGER_STEPS

excerpt() { # FILE → its first and last lines; the whole of a long one stays in cache/
    local lines
    lines=$(wc -l <"$1")
    if [ "$lines" -le 160 ]; then
        cat "$1"
        return
    fi
    mkdir -p cache && cp "$1" cache/last-failure.log
    sed -n '1,80p' "$1"
    echo "… $((lines - 160)) lines more, all of it in cache/last-failure.log"
    tail -n 80 "$1"
}

alone() { # COMMAND … → in a shell of its own: what a step exports is gone with it
    ("$@") >"$steps_log" 2>&1 </dev/null
}

# step NAME COMMAND … — a command's whole output is shown only when it fails; its last line that starts with "= "
# is the step's result, said beside its time.
step() {
    local name=$1 verdict=ok seconds note
    shift
    if [ -t 1 ]; then printf '  …     %s\r' "$name"; fi
    { time alone "$@"; } 2>"$steps_folder/time" || verdict=FAIL
    seconds=$(cat "$steps_folder/time")
    note=$(sed -n 's/^= //p' "$steps_log" | tail -n 1)
    printf '  %-4s  %-22s %7s s  %s\n' "$verdict" "$name" "$seconds" "$note" | tee -a "$COMPUTE_LEDGER_STEPS"
    [ "$verdict" = FAIL ] || return 0
    steps_failed=$((steps_failed + 1))
    excerpt "$steps_log" | sed 's/^/    /'
}
