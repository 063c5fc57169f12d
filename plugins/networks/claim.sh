# Whether a network may have the devices of its names, and what of them is its own. A script from before devices had marks
# is the mark of what it has made.
is_old() {
    [ -f "$1" ] && ! grep -q '^owner=' "$1"
}

is_claimed() {
    is_ours "$1" || is_old "$script"
}

# The switch of an uplink may be that of another network's script.
is_claimed_switch() {
    [ "$(ovs-vsctl --timeout=5 --if-exists get bridge "$switch" external_ids:xcrane | tr -d '"')" != network ] || return 0
    for each in "${script%/*}"/*; do
        ! is_old "$each" || ! grep -qxF "switch=$switch" "$each" || return 0
    done
    return 1
}

# A switch that does not run can be asked nothing.
is_switch_there() {
    [ -n "$switch" ] && [ -S /run/openvswitch/db.sock ] && ovs-vsctl --timeout=5 br-exists "$switch"
}

strangers() {
    for one in $devices; do
        ! is_there "$one" || is_claimed "$one" || echo "$one"
    done
    ! is_switch_there || is_claimed_switch || echo "$switch"
}

made() {
    for one in $devices; do
        ! is_there "$one" || echo "$one"
    done
    # An old script may have made tunnels of another number.
    is_old "$script" || return 0
    for one in $devices; do
        for each in "/sys/class/net/$one/brif/vx"*; do [ ! -e "$each" ] || echo "${each##*/}"; done
    done
    ! is_switch_there || ovs-vsctl --timeout=5 list-ports "$switch" | grep '^vx' || :
}

unmarked() {
    for one in $(made); do
        [ "$(alias_of "$one")" = "$owner" ] || echo "$one"
    done
    ! is_switch_there || [ "$(ovs-vsctl --if-exists get bridge "$switch" external_ids:xcrane)" = network ] || echo "$switch"
}

owned() {
    for one in $devices; do
        ! is_there "$one" || ! is_claimed "$one" || echo "$one"
    done
}

case $1 in
strangers) strangers ;;
free) [ -z "$(strangers)" ] || say "$(strangers | tr '\n' ' ')belongs to somebody else" ;;
marked) [ -z "$(unmarked)" ] ;;
mark)
    put_mark $(made)
    ! is_switch_there || ovs-vsctl --timeout=30 set bridge "$switch" external_ids:xcrane=network
    ;;
gone) [ -z "$(owned)" ] ;;
remove)
    left=$(owned)
    # What a script could not take down may still carry the host's address.
    [ ! -x "$script" ] || "$script" down || { code=$? && [ -z "$(owned)" ] || exit $code; }
    for one in $left; do ! is_there "$one" || ip link del "$one"; done
    ;;
esac
