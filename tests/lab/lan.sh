#!/bin/sh
# The network of a BMC of the lab, as ipmi_sim asks for it: DIRECTORY get PARAMETER..., or DIRECTORY set PARAMETER VALUE ...
# A parameter is a file of that name in DIRECTORY/lan; nothing else follows it: the BMC stays where it is.
dir=$1 verb=$2
shift 2
case $verb in
get) for what; do echo "$what:$(cat "$dir/lan/$what")"; done ;;
set)
    while [ $# -gt 1 ]; do
        echo "$2" >"$dir/lan/$1"
        shift 2
    done
    ;;
esac
