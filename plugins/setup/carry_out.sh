# The steps of a plan as functions; a call for each follows, and a last line begins. What they say is shown where they fail.
PATH=$PATH:/usr/sbin:/sbin
export PATH
notes=/run/xcrane/follow

# Its number, by which the last one that was begun is known; then the step.
step() {
    echo "begun $1" || exit
    shift
    said=$("$@" 2>&1 >/dev/null </dev/null) && return
    code=$?
    printf '%s\n' "${said:-exit code $code}" >&2
    exit 1
}

# Who will have to be told of a file, until that is done.
note() {
    mkdir -p $notes && echo "$2" >"$notes/$1" || exit
}

forget() {
    rm -f "$notes/$1"
    rmdir -p $notes 2>/dev/null || :
}

# Of a file there is always all of the old or all of the new. What it says is in no argument of a program. Whose file it
# was stays so, and a link that an admin has put there goes on leading to it.
put() {
    mkdir -p "${1%/*}" && umask 077 || return
    place=$(readlink -f "$1") || refuse "$1 is a link into a directory that is not there" || return
    [ ! -d "$place" ] || refuse "$1 is a directory" || return
    [ ! -e "$place" ] || [ -f "$place" ] || refuse "$1 leads to $place, which is no file" || return
    new=${place%/*}/.${place##*/}.new
    printf %s "$3" >"$new" && keep_owner "$place" "$new" && chmod "$2" "$new" && mv -f "$new" "$place" || {
        rm -f "$new"
        return 1
    }
}

refuse() {
    echo "$1" >&2
    return 1
}

keep_owner() {
    [ ! -e "$1" ] || chown "$(stat -c %u:%g "$1")" "$2"
}

# Directories that others use are not empty, and stay.
erase() {
    rm -f "$1" || return
    rmdir -p "${1%/*}" 2>/dev/null
    [ ! -e "$1" ]
}

reload_units() {
    systemctl daemon-reload && forget "$1"
}

# A step of its own makes systemd read its files again.
link() {
    systemctl --quiet --no-reload "$1" "$2"
}

# Old versions of systemd hold on to their knowledge that there is no such unit, and say so by 5.
tell() {
    systemctl "$@" 2>&1 && return
    [ $? = 5 ] && systemctl daemon-reload && systemctl "$@" 2>&1
}

# The last words of a service say more than systemd's advice to go and read them. A unit that failed often is not refused
# for that.
unit() {
    systemctl reset-failed "$2" 2>/dev/null
    told=$(tell "$1" "$2") || {
        journalctl -b -u "$2" "_SYSTEMD_UNIT=$2" -n 3 -o cat --no-pager 2>/dev/null | cut -c-500 | tail -n 1 | grep . >&2 ||
            printf '%s\n' "$told" | head -n 1 >&2
        return 1
    }
    # A program that failed while its unit was stopped would keep the unit's name in systemd's list.
    [ "$1" != stop ] || systemctl reset-failed "$2" 2>/dev/null
    forget "$2"
}

# A program that ends well and changes nothing would be run again for ever.
make() {
    (eval "$2") || return
    told=$( (eval "$3") 2>&1 >/dev/null) && return
    code=$?
    echo "$1 is still not true ($(printf '%s\n' "${told:-exit code $code}" | grep . | tail -n 1))" >&2
    return 1
}
