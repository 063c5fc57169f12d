# Nothing but these can be changed of a tunnel once it is there.
is_tunnel() {
    case "$(ip -d -o link show dev "$tunnel" 2>/dev/null) " in
    *" vxlan id $vni local $address ${device:+dev $device }srcport "*" dstport $port "*) ;;
    *) return 1 ;;
    esac
}

# To whom the tunnel sends what is for all, or whose place it does not know.
listed() {
    bridge fdb show dev "$tunnel" | sed -n 's/^00:00:00:00:00:00 .*dst \([^ ]*\).*/\1/p' | sort
}

wanted() {
    for peer in $peers; do echo "$peer"; done | sort
}

# A host that has left the network is sent nothing more, learned addresses included.
forget_strangers() {
    bridge fdb show dev "$tunnel" | while read -r who entry; do
        case " $entry" in
        *" dst "*) ;;
        *) continue ;;
        esac
        dst=${entry#*dst }
        dst=${dst%% *}
        case " $peers " in
        *" $dst "*) ;;
        *) bridge fdb del "$who" dev "$tunnel" dst "$dst" ;;
        esac
    done
}

make_tunnel_device() {
    ! is_tunnel || ! is_ours "$tunnel" || return 0
    refuse_strangers "$tunnel"
    remove_devices "$tunnel"
    make_device "$tunnel" "" type vxlan id "$vni" local "$address" ${device:+dev "$device"} dstport "$port"
}

send_to_peers() {
    forget_strangers
    known=" $(listed | tr '\n' ' ')"
    for peer in $peers; do
        case "$known" in
        *" $peer "*) ;;
        *) echo "fdb append 00:00:00:00:00:00 dev $tunnel dst $peer" ;;
        esac
    done | bridge -batch -
}

check_tunnel() {
    is_tunnel || say "tunnel $tunnel is missing or another one"
    check_up "$tunnel"
    [ "$(listed)" = "$(wanted)" ] || say "$tunnel does not lead to exactly $peers"
}
