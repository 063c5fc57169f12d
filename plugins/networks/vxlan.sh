up() {
    make_bridge
    make_tunnel_device
    ip link set "$tunnel" mtu "$mtu" master "$bridge" up
    send_to_peers
    let_pass
}

down() {
    [ ! -e "/sys/class/net/$tunnel" ] || ip link del "$tunnel"
    remove_bridge
    stop_passing
}

check() {
    is_bridge || say "bridge $bridge is missing"
    check_up "$bridge"
    check_tunnel
    is_in "$tunnel" "$bridge" || say "$tunnel is not in $bridge"
    passes || say "the firewall does not let $bridge pass"
}
