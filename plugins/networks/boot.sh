# A switch that is slow to start, or a port whose driver is, is waited for without holding up the boot: until it is there,
# or nobody wants the network any more. Restart= would be shorter, but systemd 239 refuses units of this kind that have it.
up_or_again() {
    "$0" up && return
    systemd-run --quiet --on-active=10 /bin/sh -c "systemctl -q is-enabled $unit && systemctl start $unit"
    return 1
}
