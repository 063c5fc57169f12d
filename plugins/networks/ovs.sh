# A program that waits for a switch which does not come would hold up the boot.
vsctl() {
    ovs-vsctl --timeout=30 "$@"
}

# Calls a function for each tunnel, which is written device/port/peer,peer.
for_tunnels() {
    for entry in $tunnels; do
        tunnel=${entry%%/*}
        port=${entry#*/}
        peers=$(echo "${port#*/}" | tr , ' ')
        port=${port%%/*}
        "$1"
    done
}

make_tunnel() {
    make_tunnel_device
    ip link set "$tunnel" mtu "$mtu" up
    send_to_peers
}

# What has to be plugged into the switch.
wanted_ports() {
    for entry in $tunnels; do echo "${entry%%/*}"; done
    [ -z "$uplink" ] || [ -n "$tunnels" ] || echo "$uplink"
}

# Networks on one wire share the switch: theirs are the ports that begin like ours.
foreign_plugs() {
    vsctl list-ports "$switch" | grep "^${outer%%-*}-" | grep -vxF "$outer" || :
}

# Tunnels to hosts that have left the network.
stale_ports() {
    vsctl list-ports "$switch" | grep "^vx" | while read -r name; do
        wanted_ports | grep -qxF "$name" || echo "$name"
    done
}

# The kernel's switch where its module is there, else the one that is a program.
datapath() {
    modprobe -q openvswitch 2>/dev/null || :
    if ovs-dpctl dump-dps >/dev/null 2>&1; then echo system; else echo netdev; fi
}

setting() {
    vsctl --if-exists get Open_vSwitch . "$1" | tr -d '"'
}

# Whole segments instead of packets make the program ten times as fast, for all its switches and after a restart of it.
# Tunnels of its own then lose their packets, so a site that has some, or has decided, keeps what it has.
offer_segments() {
    [ "$(setting other_config:userspace-tso-enable)" = "" ] || return 0
    vsctl --bare --columns=type list interface | grep -qE 'vxlan|geneve|gre|gtpu|erspan|stt|lisp' && return 0
    vsctl set Open_vSwitch . other_config:userspace-tso-enable=true external_ids:xcrane-segments=new
}

# A run that was killed before the restart has left the mark.
take_segments() {
    [ "$(setting external_ids:xcrane-segments)" = new ] || return 0
    for unit in openvswitch-switch openvswitch; do
        systemctl cat "$unit" >/dev/null 2>&1 || continue
        systemctl restart "$unit"
    done
    vsctl set Open_vSwitch . external_ids:xcrane-segments=yes
}

# What comes out of a container has no checksum yet and may be larger than a packet: the kernel must finish it before
# the program reads it.
finish_packets() {
    [ "$(setting other_config:userspace-tso-enable)" != true ] || return 0
    ethtool -K "$inner" tx off >/dev/null || say "ethtool cannot turn off the offloads of $inner"
}

# The switch of an uplink is of all networks on it.
is_our_switch() {
    [ "$(vsctl --if-exists get bridge "$switch" external_ids:xcrane | tr -d '"')" = network ]
}

make_switch() {
    kind=$(datapath)
    ! vsctl br-exists "$switch" || is_our_switch ||
        say "switch $switch is there and is none of xcrane's, which will not touch it"
    if [ "$kind" = netdev ]; then
        offer_segments
        take_segments
        finish_packets
    fi
    set -- --may-exist add-br "$switch" -- set bridge "$switch" "datapath_type=$kind" external_ids:xcrane=network \
        -- --may-exist add-port "$switch" "$outer" -- set port "$outer" "tag=${vlan:-[]}"
    for name in $(wanted_ports); do
        set -- "$@" -- --may-exist add-port "$switch" "$name"
    done
    vsctl "$@"
    for name in $(stale_ports); do
        vsctl --if-exists del-port "$switch" "$name"
        remove_devices "$name"
    done
}

up() {
    command -v ovs-vsctl >/dev/null || say "Open vSwitch is not installed"
    if [ -n "$uplink" ] && [ -n "$(ip -o addr show dev "$uplink" scope global)" ] && [ -z "$tunnels" ]; then
        say "$uplink has addresses of this host, which a switch would take off the network; use driver bridge on it"
    fi
    make_bridge
    make_device "$inner" "$outer" type veth peer name "$outer"
    ip link set "$inner" mtu "$mtu" master "$bridge" up
    ip link set "$outer" mtu "$mtu" up
    for_tunnels make_tunnel
    [ -z "$uplink" ] || ip link set "$uplink" up
    make_switch
    let_pass
}

down() {
    if command -v ovs-vsctl >/dev/null && vsctl br-exists "$switch" && is_our_switch; then
        vsctl --if-exists del-port "$switch" "$outer"
        [ -n "$(foreign_plugs)" ] || remove_switch
    fi
    remove_devices "$inner"
    remove_bridge
    stop_passing
}

# The last network of a switch takes it away, and the last switch what was set for it.
remove_switch() {
    leftover=$(vsctl list-ports "$switch" | grep "^vx" || :)
    vsctl --if-exists del-br "$switch"
    remove_devices $leftover
    [ -z "$(vsctl list-br)" ] || return 0
    [ "$(setting external_ids:xcrane-segments)" = "" ] ||
        vsctl remove Open_vSwitch . other_config userspace-tso-enable -- \
            remove Open_vSwitch . external_ids xcrane-segments
}

check() {
    is_bridge || say "bridge $bridge is missing"
    for name in "$bridge" "$inner" "$outer"; do check_up "$name"; done
    is_in "$inner" "$bridge" || say "$inner is not in $bridge"
    for_tunnels check_tunnel
    command -v ovs-vsctl >/dev/null || say "Open vSwitch is not installed"
    vsctl br-exists "$switch" || say "switch $switch is missing"
    [ "$(setting external_ids:xcrane-segments)" != new ] || say "Open vSwitch has not been restarted"
    [ "$(vsctl get port "$outer" tag)" = "${vlan:-[]}" ] || say "$outer has another VLAN tag"
    for name in "$outer" $(wanted_ports); do
        [ "$(vsctl --if-exists get interface "$name" error)" = "[]" ] || say "$name is not plugged into $switch"
        vsctl list-ports "$switch" | grep -qxF "$name" || say "$name is not in $switch"
    done
    [ -z "$(stale_ports)" ] || say "$switch has tunnels to strangers"
    passes || say "the firewall does not let $bridge pass"
}
