# Takes line by line: the method, the name of a lock, how it is taken (-x alone, -s with others), for how many seconds it
# is waited for, and who asks; then variables up to an empty line, and the program in base64. The rest is for the program. None of
# it is in a command line, which others can read, and nothing of it stays but the lock, a line of who had it last.
umask 077
for name in method lock kind wait holder; do IFS= read -r "$name" || exit 125; done
d=$(mktemp -d) || exit 125
program=
# Who is told to end may be killed a moment later: the copy goes at once, and the program is told as well, which may tidy up.
end() {
    rm -rf "$d"
    [ -n "$program" ] || exit 143
    kill -TERM "$program" 2>/dev/null
}
trap 'rm -rf "$d"' EXIT
trap end TERM
# That nobody hears it any more is no reason to let go of the lock.
trap : HUP
# The shell holds it for as long as it waits for the program, also when nobody hears that any more; what a program leaves running
# does not. Where there is no flock, nobody is kept out.
if command -v flock >/dev/null 2>&1; then
    locks=/run/xcrane/modules
    mkdir -p "$locks" || exit 125
    exec 9<>"$locks/$lock"
    flock -n "$kind" 9 || timeout "$wait" flock "$kind" 9 || { cat "$locks/$lock" >&2; exit 75; }
    printf '%s, as process %s there\n' "$holder" $$ >"$locks/$lock"
fi
echo "xcrane: begun"
while IFS= read -r variable && [ -n "$variable" ]; do export "$variable"; done
IFS= read -r text && printf %s "$text" | base64 -d >"$d/program" && chmod 700 "$d/program" && cd "$d" || exit 125
# What it writes is for whoever may read such files, unless it says otherwise.
umask 022
# A shell hears signals while it waits for what is beside it, and not while it runs something itself.
exec 3<&0
./program "$method" <&3 3<&- 9>&- &
program=$!
exec 3<&-
wait "$program"
code=$?
while kill -0 "$program" 2>/dev/null; do
    wait "$program"
    code=$?
done
exit "$code"
