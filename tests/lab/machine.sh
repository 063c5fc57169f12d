# The virtual machine behind a BMC, for chassis.sh; file `machine` says its number and its firmware, bios or uefi.
#
# Its cable is the tap m<number>. Its serial port is where its BMC looks for it, 127.0.0.1:(9100 + number), and all that it
# ever wrote there is in file console. What QEMU has to complain of is in qemu.log.
. ./machine

# As long as the machine lives it holds a lock, which tells more than its number.
is_on() { ! flock --nonblock alive true; }

# Whoever asked must not wait, nor share with the machine what he has open: else it would keep the port of its dead BMC.
start() {
    local fd words
    exec 9>alive
    flock --nonblock 9 || return 0
    arrange
    (
        for fd in /proc/self/fd/*; do
            [ "${fd##*/}" -le 2 ] || [ "${fd##*/}" = 9 ] || eval "exec ${fd##*/}>&-"
        done
        exec setsid qemu-system-x86_64 "${words[@]}"
    ) </dev/null >qemu.log 2>&1 &
    echo $! >pid
    exec 9>&-
}

# A disk that is empty is passed over. What a BMC says of the device to boot from is for one start; http is UEFI's boot by HTTP, which comes
# to its turn at once where PXE is switched off. Nothing waits for the disk: it is gone with the lab.
arrange() {
    local net=2 disk=1 rom='' serial=$((9100 + number)) wanted version
    wanted=$(<boot)
    case $wanted in pxe | http) net=1 disk=2 ;; esac
    put boot none
    [ -e disk ] || truncate -s 4G disk
    words=(-accel tcg,tb-size=128 -m 1024 -smp 1 -display none -no-user-config -nodefaults -vga none)
    if [ "$firmware" = uefi ]; then
        [ -e vars.fd ] || cp /usr/share/OVMF/OVMF_VARS_4M.fd vars.fd
        words+=(-machine q35,graphics=off -drive if=pflash,unit=0,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd)
        words+=(-drive if=pflash,unit=1,format=raw,file=vars.fd)
        rom=,romfile= # so that it is the firmware's own network boot
        [ "$wanted" != http ] || for version in 4 6; do
            words+=(-fw_cfg "name=opt/org.tianocore/IPv${version}PXESupport,string=n")
        done
    else
        words+=(-machine pc,graphics=off)
    fi
    words+=(-uuid "$(printf '4c414200-0000-4000-8000-%012d' "$number")")
    words+=(-smbios "type=1,manufacturer=Lab,product=Anvil,serial=LAB-$number")
    words+=(-drive if=none,id=disk,format=raw,file=disk,cache=unsafe -device "virtio-blk-pci,drive=disk,bootindex=$disk")
    words+=(-netdev "tap,id=net,ifname=m$number,script=no,downscript=no")
    words+=(-device "virtio-net-pci,netdev=net,mac=$(printf 52:54:00:77:00:%02x "$number"),bootindex=$net$rom")
    words+=(-chardev "socket,id=serial,host=127.0.0.1,port=$serial,server=on,wait=off,logfile=console,logappend=on")
    words+=(-serial chardev:serial -monitor "tcp:127.0.0.1:$((serial + 1000)),server=on,wait=off")
}

stop() {
    local try
    for try in {1..200}; do
        is_on || return 0
        kill -KILL "$(<pid)" 2>/dev/null || :
        sleep 0.01
    done
}

# What runs on the machine decides whether it goes. QEMU greets, then repeats what it was told.
press_button() {
    is_on || return 0
    {
        echo system_powerdown >&3
        read -r -t 1 <&3
        read -r -t 1 <&3
    } 3<>"/dev/tcp/127.0.0.1/$((10100 + number))" || :
}
