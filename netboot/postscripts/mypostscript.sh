#!/bin/sh
# The environment of this node, and the scripts that run in it. Without an argument all run, else those of "post" or "postboot".
@exports@
here=$(cd "$(dirname "$0")" && pwd) && cd "$here" || exit 126
PATH=$here:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
part=${1:-all}
failed=0

# A script that was copied need not be executable. What it leaves running must not hold what we hold.
run_ps() {
    echo "postscript start..: $1"
    if [ ! -f "./$1" ]; then
        echo "there is no such script, or not everybody may read it"
        code=127
    elif [ -x "./$1" ]; then
        "./$@" </dev/null 9<&-
        code=$?
    else
        sh "./$@" </dev/null 9<&-
        code=$?
    fi
    echo "postscript end....: $1 exited with code $code"
    [ "$code" = 0 ] || failed=1
}

if [ "$part" != postboot ]; then
    :
# postscripts-start-here
@post@
# postscripts-end-here
fi
if [ "$part" != post ]; then
    :
# postbootscripts-start-here
@postboot@
# postbootscripts-end-here
fi
echo "Running of postscripts has completed."
exit $failed
