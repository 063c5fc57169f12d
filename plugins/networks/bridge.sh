# A device of ours says so, since only those are taken away again.
mark=xcrane-network

make_port() {
    [ -n "$vlan" ] && [ ! -e "/sys/class/net/$port" ] || return 0
    ip link set "$uplink" up
    ip link add link "$uplink" name "$port" type vlan id "$vlan"
    ip link set "$port" alias "$mark"
}

refuse_master() {
    master=$(readlink "/sys/class/net/$port/master") || return 0
    [ "${master#../}" = "$bridge" ] || say "$port is in ${master#../} already"
}

# Goes on when the connection that it was started over breaks: what is begun must come to its end.
up() {
    trap '' HUP PIPE
    mkdir -p /run/xcrane
    [ -e "/sys/class/net/$uplink" ] || say "there is no port $uplink"
    make_port
    refuse_master
    # With the address of the port the host stays the same to its neighbours.
    mac=$(cat "/sys/class/net/$port/address")
    "by_$(keeper "$port")"
    is_in "$port" "$bridge" || say "$port is not in $bridge"
    ip link set "$bridge" mtu "$mtu"
    let_pass
}

# A host that goes down needs its network to the end, and finds it again as it is.
down() {
    trap '' HUP PIPE
    [ "$(systemctl is-system-running 2>/dev/null)" != stopping ] || return 0
    mkdir -p /run/xcrane
    stop_passing
    if [ -e "/sys/class/net/$port" ]; then
        "back_by_$(told)"
        [ "$(cat "/sys/class/net/$port/ifalias" 2>/dev/null)" != "$mark" ] || ip link del "$port"
    fi
    remove_bridge
}

check() {
    is_bridge || say "bridge $bridge is missing"
    is_in "$port" "$bridge" || say "$port is not in $bridge"
    [ -z "$(addresses "$port")" ] && [ ! -e "$saved" ] || say "addresses of $port are not with $bridge"
    check_up "$bridge"
    passes || say "the firewall does not let $bridge pass"
}
