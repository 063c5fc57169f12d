# A VLAN that the site has made itself is used as it is, and stays.
make_port() {
    [ -n "$vlan" ] && ! is_there "$port" || return 0
    ip link set "$uplink" up
    make_device "$port" "" link "$uplink" type vlan id "$vlan"
}

refuse_master() {
    master=$(master_of "$port") || return 0
    [ "$master" = "$bridge" ] || say "$port is in $master already"
}

# Goes on when the connection that it was started over breaks: what is begun must come to its end.
up() {
    trap '' HUP PIPE
    is_there "$uplink" || say "there is no port $uplink"
    refuse_strangers "$bridge"
    make_port
    refuse_master
    # With the address of the port the host stays the same to its neighbours.
    mac=$(cat "/sys/class/net/$port/address")
    "by_$(keeper "$port")"
    put_mark "$bridge"
    is_in "$port" "$bridge" || say "$port is not in $bridge"
    ip link set "$bridge" mtu "$mtu"
    let_pass
}

# A host that goes down needs its network to the end, and finds it again as it is.
down() {
    trap '' HUP PIPE
    [ "$(systemctl is-system-running 2>/dev/null)" != stopping ] || return 0
    stop_passing
    if is_there "$port"; then
        # Its mark may be missing still, and the files that tell whose it is go now.
        ! is_there "$bridge" || ! is_ours "$bridge" || put_mark "$bridge" || :
        "back_by_$(told)"
        [ -z "$vlan" ] || remove_devices "$port"
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
