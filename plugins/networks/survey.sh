# Prints what a host says of its networks: for each part a line "@NAME", what the program said, and a line "@=EXIT".
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
part() {
    printf '\n@%s\n' "$1"
    shift
    "$@" 2>&1
    printf '\n@=%s\n' "$?"
}
part devices ip -j -d address show
part routes ip -j route show table all
part routes6 ip -j -6 route show table all
part entries bridge -j fdb show
part neighbours ip -s -j ntable show name arp_cache
part forwards cat /proc/sys/net/ipv4/ip_forward
part filters cat /proc/sys/net/bridge/bridge-nf-call-iptables
part rules iptables -w 5 -S
part chains nft -j list chains
