#!/bin/sh
# The server of nodes, as far as the machine of a trial needs one; busybox's httpd runs it for what is below /cgi-bin/node.
# Beside the directory that is served are the token, the postscripts, and the statuses that the machine has told.
place=../..

answer() {
    printf 'HTTP/1.0 %s\r\nContent-Length: 0\r\n\r\n' "$1"
    exit 0
}

case "$PATH_INFO" in
/imgtest/status/postbooting | /imgtest/status/booted | /imgtest/status/failed | /imgtest/postscripts) ;;
*) answer '404 Not Found' ;;
esac
[ "$QUERY_STRING" = "token=$(cat $place/token)" ] || answer '403 Forbidden'
if [ "$PATH_INFO" = /imgtest/postscripts ]; then
    printf 'HTTP/1.0 200 OK\r\n\r\n'
    exec busybox tar -c -C $place mypostscript
fi
echo "${PATH_INFO##*/}" >>$place/told
answer '204 No Content'
