# Probes from one place: ADDRESS SIZE TARGET... Each finding is one line, short enough to be written in one piece.
set -f
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
address=$1 size=$2
shift 2

# With a packet as large as can be, once more if it was lost, then with a small one.
probe() {
    said=$(ping -n -c 1 -W 1 -M do -I "$address" -s "$size" "$1" 2>&1) ||
        said=$(ping -n -c 1 -W 3 -M do -I "$address" -s "$size" "$1" 2>&1) && {
        echo "probe $address $1 full"
        return
    }
    how=lost
    ping -n -c 1 -W 2 -I "$address" -s 16 "$1" >/dev/null 2>&1 && how=small
    echo "probe $address $1 $how $(printf %s "$said" | tr '\n' ' ' | cut -c 1-300)"
}

# Who else says that the address is theirs.
duplicates() {
    case $address in *:*) return ;; esac
    if ! command -v arping >/dev/null; then
        echo "lacks arping"
    elif arping -V 2>&1 | grep -q iputils; then
        said=$(arping -D -c 1 -w 1 -I "$device" "$address" 2>&1) ||
            echo "claims $address $(printf %s "$said" | tr '\n' ' ' | cut -c 1-600)"
    else
        said=$(arping -0 -c 1 -i "$device" "$address" 2>&1) &&
            echo "claims $address $(printf %s "$said" | tr '\n' ' ' | cut -c 1-600)"
    fi
}

device=$(ip -o address show to "$address" | sed -n 's/^[0-9]*: \([^ @]*\).*/\1/p;q')
[ -n "$device" ] || {
    echo "absent $address"
    exit
}
echo "device $address $(ip -j link show dev "$device" | tr -d '\n')"
duplicates &
count=0
for target; do
    probe "$target" &
    count=$((count + 1))
    [ $((count % 32)) != 0 ] || wait
done
wait
