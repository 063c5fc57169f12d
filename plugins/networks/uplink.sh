# Moving the addresses of a port to the bridge that it is put into, by whatever keeps the port's addresses.

# Who gives the port its addresses, and will do so at the next boot.
keeper() {
    if [ "$(nmcli -g GENERAL.STATE device show "$1" 2>/dev/null | cut -d' ' -f1)" = 100 ]; then
        echo manager
    elif [ -f "$(networkd_file "$1")" ]; then
        echo networkd
    elif [ -n "$(ifquery --state "$1" 2>/dev/null)" ]; then
        echo ifupdown
    else
        echo nobody
    fi
}

# Who was told to give them to the bridge.
told() {
    if [ -f "$connections$port.nmconnection" ]; then
        echo manager
    elif [ -f "$networkd$port.network" ]; then
        echo networkd
    elif [ -f "$interfaces.d/xcrane-$bridge" ]; then
        echo ifupdown
    else
        echo nobody
    fi
}

networkd_file() {
    networkctl --no-pager status "$1" 2>/dev/null | sed -n 's/^ *Network File: *//p'
}

addresses() {
    ip -o addr show dev "$1" scope global 2>/dev/null
}

# Addresses and routes of a port, one a line. The kernel makes some routes itself, and routers advertise others.
state() {
    addresses "$1" | while read -r _ _ _ address more; do
        case "$more" in
        "peer "*) more=${more#peer } && echo "address $address peer ${more%% *}" ;;
        *) echo "address $address" ;;
        esac
    done
    for family in -4 -6; do
        ip "$family" route show table all dev "$1" 2>/dev/null | grep -vE \
            '^(local|broadcast|anycast|multicast|fe80:|ff00:)|proto (kernel|ra)' | sed "s/ linkdown//;s/^/route $family /"
    done
}

# Takes a state and gives it to a port. A route may need another one that comes later, so there are two rounds.
give() {
    while read -r what one more; do
        case $what in
        address) ip addr replace "$one" $more $(broadcast "$one") dev "$1" ;;
        route) ip "$one" route replace $more dev "$1" 2>/dev/null || again="$again$one $more
" ;;
        esac
    done
    printf %s "$again" | while read -r one more; do ip "$one" route replace $more dev "$1"; done
}

broadcast() {
    case $1 in
    *:* | */31 | */32) ;;
    *) echo "brd +" ;;
    esac
}

# From one port to another. What they were stands in a file meanwhile, for the way back if this is interrupted.
move() {
    again=
    mkdir -p "${saved%/*}"
    { cat "$saved" 2>/dev/null || :; state "$1"; } | awk '!seen[$0]++' >"$saved.new"
    mv "$saved.new" "$saved"
    if [ -e "/sys/class/net/$1" ]; then
        ip -4 addr flush dev "$1" scope global
        ip -6 addr flush dev "$1" scope global
    fi
    give "$2" <"$saved"
    rm -f "$saved"
    rmdir "${saved%/*}" 2>/dev/null || :
}

by_nobody() {
    case "$(addresses "$port")" in
    *" dynamic "*) say "the address of $port is leased and nothing known to us renews it; give the host a fixed one" ;;
    esac
    make_bridge
    ip link set "$port" master "$bridge" up
    move "$port" "$bridge"
}

back_by_nobody() {
    is_bridge && is_ours "$bridge" || [ -e "$saved" ] || return 0
    ip link set "$port" nomaster
    move "$bridge" "$port"
}

# systemd-networkd: the first file that fits a port counts, so ours come before the site's and leave them as they are.
networkd=/etc/systemd/network/00-xcrane-

networkd_bridge() {
    printf '[NetDev]\nName=%s\nKind=bridge\nMACAddress=%s\n\n[Bridge]\nSTP=no\nForwardDelaySec=0\n' "$bridge" "$mac"
}

networkd_port() {
    printf '[Match]\nName=%s\n\n[Network]\nBridge=%s\n' "$port" "$bridge"
}

# What the site's file says of the port, said of the bridge.
networkd_addresses() {
    printf '[Match]\nName=%s\n\n' "$bridge"
    awk '/^\[/ { skip = $0 ~ /^\[(Match|Link)\]/ } !skip' "$@"
}

by_networkd() {
    file=$(networkd_file "$port")
    had=$(addresses "$port")
    found=$(! is_bridge || echo yes)
    if [ "$file" = "$networkd$port.network" ]; then
        ! is_in "$port" "$bridge" || return 0
    else
        set -- "$file"
        for more in "$file".d/*.conf; do [ ! -f "$more" ] || set -- "$@" "$more"; done
        networkd_addresses "$@" >"$networkd$bridge.network"
        networkd_bridge >"$networkd$bridge.netdev"
        networkd_port >"$networkd$port.network"
    fi
    networkctl reload
    # It waits for ever for a bridge that it has not made itself, unless it finds that one when it starts.
    if [ -n "$found" ]; then
        ip link set "$bridge" address "$mac"
        systemctl restart systemd-networkd
    else
        networkctl reconfigure "$port"
    fi
    await "$bridge" "$had"
}

back_by_networkd() {
    rm -f "$networkd$bridge.network" "$networkd$bridge.netdev" "$networkd$port.network"
    networkctl reload
    ip link set "$port" nomaster
    ip addr flush dev "$bridge" scope global 2>/dev/null || :
    networkctl reconfigure "$port"
}

# NetworkManager: connections of ours for bridge and port, which outrank the site's own for that port.
connections=/etc/NetworkManager/system-connections/xcrane-

manager_bridge() {
    printf '[connection]\nid=xcrane-%s\ntype=bridge\ninterface-name=%s\nautoconnect-priority=999\n\n' "$bridge" "$bridge"
    printf '[bridge]\nstp=false\nmac-address=%s\n\n' "$mac"
    awk '/^\[/ { take = $0 ~ /^\[(ipv4|ipv6|proxy)\]/ } take' "$1"
}

manager_port() {
    printf '[connection]\nid=xcrane-%s\ntype=ethernet\ninterface-name=%s\n' "$port" "$port"
    printf 'master=%s\nslave-type=bridge\nautoconnect-priority=999\n' "$bridge"
}

# The file of the port's connection; its form must be one that we can read. (Before NetworkManager 1.36 Red Hat's have another.)
manager_file() {
    uuid=$(nmcli -g GENERAL.CON-UUID device show "$port")
    file=$(nmcli -t -f UUID,FILENAME connection show | sed -n "s|^$uuid:||p" | head -n 1 | sed 's/\\\(.\)/\1/g')
    case $file in
    *.nmconnection) [ -f "$file" ] || say "NetworkManager's file $file of $port is not there" ;;
    */ifcfg-*) say "$file is not in NetworkManager's own form; give it that with: nmcli connection migrate $uuid" ;;
    *) say "NetworkManager keeps $port by no file (${file:-none}); give it one with: nmcli connection modify $uuid autoconnect yes" ;;
    esac
}

by_manager() {
    had=$(addresses "$port")
    [ "$(nmcli -g GENERAL.CONNECTION device show "$port")" != "xcrane-$port" ] || return 0
    manager_file
    (
        umask 077
        manager_bridge "$file" >"$connections$bridge.nmconnection"
        manager_port >"$connections$port.nmconnection"
    )
    nmcli connection load "$connections$bridge.nmconnection" "$connections$port.nmconnection"
    nmcli connection up "xcrane-$bridge"
    nmcli connection up "xcrane-$port"
    await "$bridge" "$had"
}

back_by_manager() {
    rm -f "$connections$bridge.nmconnection" "$connections$port.nmconnection"
    nmcli connection reload
    nmcli device set "$port" managed yes
    nmcli device connect "$port"
}

# ifupdown: it adds up all that is said of a port, so the site's own lines are put aside where they stand.
interfaces=/etc/network/interfaces

# The lines that say of the port what its addresses are, said of the bridge.
ifupdown_bridge() {
    printf 'auto %s\n' "$bridge"
    awk -v port="$port" -v bridge="$bridge" -v mac="$mac" '
        /^[[:space:]]*(iface|auto|allow-[^ ]*|mapping|source[^ ]*)[[:space:]]/ { ours = $1 == "iface" && $2 == port }
        ours && $1 == "iface" {
            $2 = bridge; print
            print "    pre-up [ -e /sys/class/net/" bridge " ] || ip link add " bridge " address " mac " type bridge forward_delay 0"
            print "    pre-up ip link set " port " master " bridge " up"
            next
        }
        ours' "$@"
    printf '\niface %s inet manual\n' "$port"
}

# The same lines as comments.
ifupdown_aside() {
    awk -v port="$port" -v mark="#xcrane-$bridge# " '
        /^[[:space:]]*(iface|auto|allow-[^ ]*|mapping|source[^ ]*)[[:space:]]/ { ours = $1 == "iface" && $2 == port }
        { print (ours ? mark : "") $0 }' "$1"
}

# Puts what a program says in the place of a file, of which there is always all of the old or all of the new. ifupdown
# does not read names that begin with a dot.
replace() {
    file=$(readlink -f "$1")
    new="${file%/*}/.xcrane-new"
    shift
    [ ! -e "$file" ] || cp -p "$file" "$new"
    "$@" >"$new"
    if cmp -s "$new" "$file"; then rm -f "$new"; else mv "$new" "$file"; fi
}

# Ours comes before the site's lines go: at whatever moment this ends, one of them gives the host its addresses at boot.
by_ifupdown() {
    had=$(addresses "$port")
    ours="$interfaces.d/xcrane-$bridge"
    grep -qE "^source(-directory)? +$interfaces.d" "$interfaces" || say "$interfaces reads nothing in $interfaces.d"
    set -- "$interfaces"
    for more in "$interfaces.d"/*; do [ ! -f "$more" ] || [ "$more" = "$ours" ] || set -- "$@" "$more"; done
    [ -f "$ours" ] || replace "$ours" ifupdown_bridge "$@"
    live=
    for more; do ifupdown_aside "$more" | cmp -s - "$more" || live=yes; done
    # A run that was killed after this has taken the port down already.
    [ -z "$live" ] || ifdown "$port" || :
    for more; do replace "$more" ifupdown_aside "$more"; done
    ifup "$port" "$bridge"
    await "$bridge" "$had"
}

back_by_ifupdown() {
    ifdown "$bridge" "$port" || :
    for more in "$interfaces" "$interfaces.d"/*; do
        [ ! -f "$more" ] || replace "$more" sed "s/^#xcrane-$bridge# //" "$more"
    done
    rm -f "$interfaces.d/xcrane-$bridge"
    ifup "$port"
}

# Until the port has an address, if there was one.
await() {
    for _ in $(seq 100); do
        [ -n "$2" ] && [ -z "$(addresses "$1")" ] || return 0
        sleep 0.2
    done
    say "$1 has got no address within 20 s"
}
