#!/bin/sh
# The end of the installation of {{ name }}, in the new system: keys, postscripts, and what is left for its first start.
node={{ again }}
token={{ token }}
get() { curl -fsS --retry 5 --max-time 120 "$@"; }
place=/var/lib/xcrane
mkdir -p /var/log/xcat
mkdir -p -m 700 /xcatpost $place
{% if keys %}
mkdir -p -m 700 /root/.ssh
cat >>/root/.ssh/authorized_keys <<'END'
{% for key in keys %}
{{ key }}
{% endfor %}
END
chmod 600 /root/.ssh/authorized_keys
{% endif %}
# The key by which ssh knows this node, whatever is installed on it: its server has it. Who is given none keeps its own.
key=/etc/ssh/ssh_host_ed25519_key
if [ -d /etc/ssh ] && (umask 077 && get -H "Authorization: Bearer $token" -o $key.new "$node/file/ssh_host_ed25519_key"); then
    ssh-keygen -y -f $key.new >$key.pub && mv $key.new $key
fi
rm -f $key.new
ended=failed
if get -o $place/postscripts.tar "$node/postscripts?token=$token" && tar xf $place/postscripts.tar -C /xcatpost; then
    sh /xcatpost/mypostscript post </dev/null >>/var/log/xcat/xcat.log 2>&1 && ended=booted
fi
rm -rf /xcatpost
cat >$place/first-start <<END
#!/bin/sh
# Once, when the installed system has come up: its postbootscripts, then how all of it ended. It leaves nothing behind.
node=$node token=$token ended=$ended place=$place
END
cat >>$place/first-start <<'END'
tell() { curl -fsS --retry 5 --max-time 30 -o /dev/null "$node/status/$1?token=$token"; }
if [ ! -e $place/ended ]; then
    tell postbooting
    mkdir -p -m 700 /xcatpost
    tar xf $place/postscripts.tar -C /xcatpost && sh /xcatpost/mypostscript postboot </dev/null >>/var/log/xcat/xcat.log 2>&1 || ended=failed
    rm -rf /xcatpost
    echo $ended >$place/ended
fi
ended=$(cat $place/ended)
tell "$ended" || [ "$ended" = failed ] || exit
systemctl disable xcrane-first-start.service
rm -rf $place /etc/systemd/system/xcrane-first-start.service
END
chmod 700 $place/first-start
cat >/etc/systemd/system/xcrane-first-start.service <<END
[Unit]
Description=What is left of the installation
After=network-online.target
Wants=network-online.target
[Service]
Type=oneshot
ExecStart=$place/first-start
Restart=on-failure
RestartSec=10
[Install]
WantedBy=multi-user.target
END
systemctl enable xcrane-first-start.service
{% if sources %}
# The medium that all this came from was signed by nobody, and apt takes nothing more from it.
rm -f /etc/apt/sources.list.d/ubuntu.sources
cat >/etc/apt/sources.list <<'END'
{% for source in sources %}
{{ source }}
{% endfor %}
END
{% endif %}
get -o /dev/null "$node/status/installed?token=$token"
