#!/bin/bash
# systemctl for hosts that run without systemd: the verbs an administrator of ssh and docker needs.
unit=${2%.service}
case $unit in
    docker) pidfile=/run/docker.pid ;;
    ssh | sshd) unit=ssh pidfile=/run/sshd.pid ;;
    "") ;;
    *) echo "Unit $unit.service not found." >&2; exit 5 ;;
esac

alive() { [ -s "$pidfile" ] && kill -0 "$(<"$pidfile")" 2>/dev/null; }

start() {
    alive && return
    case $unit in
        ssh) mkdir -p /run/sshd; /usr/sbin/sshd ;;
        docker) start_docker ;;
    esac
}

start_docker() {
    local engine
    rm -f "$pidfile" /run/docker.sock
    [ ! -r /etc/default/docker ] || . /etc/default/docker
    # shellcheck disable=SC2086
    setsid /usr/sbin/dockerd $DOCKER_OPTS >>/var/log/docker.log 2>&1 </dev/null &
    engine=$!
    for _ in {1..1200}; do
        [ ! -S /run/docker.sock ] || return 0
        kill -0 $engine 2>/dev/null || break
        sleep 0.05
    done
    echo "Job for docker.service failed because the control process exited with error code." >&2
    echo "See /var/log/docker.log for details." >&2
    exit 1
}

stop() {
    local pid
    alive || return 0
    pid=$(<"$pidfile")
    kill "$pid"
    for _ in {1..600}; do
        kill -0 "$pid" 2>/dev/null || return 0
        sleep 0.05
    done
    kill -9 "$pid"
}

case $1 in
    start) start ;;
    stop) stop ;;
    restart) stop; start ;;
    reload) kill -HUP "$(<"$pidfile")" ;;
    is-active) if alive; then echo active; else echo inactive; exit 3; fi ;;
    status) if alive; then echo "Active: active (running)"; else echo "Active: inactive (dead)"; exit 3; fi ;;
    reboot) unit=docker pidfile=/run/docker.pid; stop; exec /bin/systemctl --force --force reboot ;;
    daemon-reload | enable | disable) ;;
    *) echo "Unknown command verb $1." >&2; exit 1 ;;
esac
