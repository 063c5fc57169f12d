#!/bin/sh
# What a BMC of the lab does to its machine, as ipmi_sim asks for it: DIRECTORY get|set PARAMETER [VALUE].
# A machine is files: power (0 or 1), boot, and a log of what was done to it.
dir=$1 verb=$2 what=$3 value=${4-}
case "$verb $what" in
"get "*) echo "$what:$(cat "$dir/$what")" ;;
"set power" | "set boot")
    echo "$value" >"$dir/$what.new"
    mv "$dir/$what.new" "$dir/$what"
    echo "$what $value" >>"$dir/log"
    ;;
"set shutdown")
    echo 0 >"$dir/power"
    echo "shutdown" >>"$dir/log"
    ;;
"set "*) echo "$what $value" >>"$dir/log" ;;
esac
