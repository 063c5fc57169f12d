# Looks at a host; a call for each thing follows these functions. An answer is a line of tag, word and length, then as
# many bytes of text, then a newline.
LC_ALL=C PATH=$PATH:/usr/sbin:/sbin
export LC_ALL PATH

answer() {
    printf '%s %s %s\n%s\n' "$1" "$2" "${#3}" "$3"
}

# systemd itself does not see that a unit has got its first drop-in.
system() {
    outdated=-
    [ ! -e /run/xcrane/follow/.units ] || outdated=outdated
    answer system $outdated "$(. /etc/os-release 2>/dev/null && echo "$ID $ID_LIKE")"
}

# The file's bytes may be anything and need not end in a newline, so they go round the shell's variables.
file() {
    if [ -f "$1" ]; then
        length=$(($(wc -c <"$1")))
        printf 'file %s %s\n' "$(stat -L -c %a "$1")" "$length"
        head -c "$length" "$1"
        echo
    elif [ -e "$1" ] || [ -L "$1" ]; then
        answer other - ''
    else
        answer absent - ''
    fi
}

# A secret stays where it is.
secret() {
    if [ -f "$1" ]; then
        answer secret "$(stat -L -c %a "$1")" "$(sha256sum <"$1" | cut -d' ' -f1)"
    else
        file "$1"
    fi
}

# Its names in order of preference: which of them is installed, and which the package source offers if none is.
package() {
    for name; do
        if is_installed "$name"; then
            answer package installed "$name"
            return
        fi
    done
    for name; do
        if is_offered "$name"; then
            answer package offered "$name"
            return
        fi
    done
    answer package unknown ''
}

is_installed() {
    if command -v dpkg-query >/dev/null; then
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
    else
        rpm -q "$1" >/dev/null 2>&1
    fi
}

is_offered() {
    if command -v apt-cache >/dev/null; then
        apt-cache policy "$1" 2>/dev/null | grep -q '^  Candidate: [^(]'
    else
        [ -n "$(timeout 30 dnf -q repoquery "$1" 2>/dev/null)" ]
    fi
}

# What was changed for a unit that has not taken notice yet stands in /run, since a boot is notice enough.
unit() {
    answer unit - "$(
        systemctl show -p LoadState,UnitFileState,ActiveState,NeedDaemonReload -- "$1" 2>/dev/null
        echo "Follow=$(cat "/run/xcrane/follow/$1" 2>/dev/null)"
    )"
}

fact() {
    if "$@" </dev/null >/dev/null 2>&1; then
        answer fact yes ''
    else
        answer fact no ''
    fi
}

