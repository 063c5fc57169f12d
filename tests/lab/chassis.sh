#!/bin/bash
# What a BMC of the lab does to its machine, as ipmi_sim asks for it: DIRECTORY get|set PARAMETER [VALUE].
# A machine is files: power (0 or 1), boot, and a log of what was done to it. Where machine.sh is among them there is a
# virtual machine behind, else a start, a stop and a press of its button are no more than a word in a file.
cd "$1" || exit
verb=$2 what=$3 value=${4-}

put() {
    echo "$2" >"$1.new"
    mv "$1.new" "$1"
}

is_on() { [ "$(<power)" = 1 ]; }
start() { :; }
stop() { :; }
press_button() { put power 0; }
[ ! -e machine.sh ] || . ./machine.sh

case "$verb $what" in
"get power")
    is_on || put power 0 # a machine can switch itself off
    ;;
"set power")
    if [ "$value" = 0 ]; then stop; else start; fi
    put power "$value"
    ;;
"set reset")
    ! is_on || { stop && start; }
    ;;
"set boot") put boot "$value" ;;
"set shutdown") press_button ;;
esac
case "$verb $what" in
"get "*) echo "$what:$(<"$what")" ;;
"set shutdown") echo shutdown >>log ;;
"set "*) echo "$what $value" >>log ;;
esac
