-- All cells are text and an unset one is NULL. Tables keep their rowid: dumps show rows in the order they came.
-- A key of several columns may be set in part; NULL becomes '' there, since NULLs would not count as equal.

CREATE TABLE "auditlog" (
    "recid" TEXT NOT NULL,
    "audittime" TEXT,
    "userid" TEXT,
    "clientname" TEXT,
    "clienttype" TEXT,
    "command" TEXT,
    "noderange" TEXT,
    "args" TEXT,
    "status" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("recid")
);

CREATE TABLE "bootparams" (
    "node" TEXT NOT NULL,
    "kernel" TEXT,
    "initrd" TEXT,
    "kcmdline" TEXT,
    "addkcmdline" TEXT,
    "dhcpstatements" TEXT,
    "adddhcpstatements" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("node")
);

CREATE TABLE "chain" (
    "node" TEXT NOT NULL,
    "currstate" TEXT,
    "currchain" TEXT,
    "chain" TEXT,
    "ondiscover" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("node")
);

CREATE TABLE "docker" (
    "node" TEXT NOT NULL,
    "command" TEXT,
    "entrypoint" TEXT,
    "env" TEXT,
    "user" TEXT,
    "workdir" TEXT,
    "hostname" TEXT,
    "tty" TEXT,
    "cpuset" TEXT,
    "swap" TEXT,
    "volumes" TEXT,
    "tmpfs" TEXT,
    "ports" TEXT,
    "links" TEXT,
    "extrahosts" TEXT,
    "dns" TEXT,
    "devices" TEXT,
    "ulimits" TEXT,
    "shmsize" TEXT,
    "capadd" TEXT,
    "capdrop" TEXT,
    "privileged" TEXT,
    "sysctls" TEXT,
    "init" TEXT,
    "restart" TEXT,
    "stopsignal" TEXT,
    "stoptimeout" TEXT,
    "labels" TEXT,
    "logopts" TEXT,
    "health" TEXT,
    "imagedigest" TEXT,
    "readonly" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("node")
);

CREATE TABLE "dockerhost" (
    "node" TEXT NOT NULL,
    "endpoint" TEXT,
    "socket" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("node")
);

CREATE TABLE "eventlog" (
    "recid" TEXT NOT NULL,
    "eventtime" TEXT,
    "eventtype" TEXT,
    "monitor" TEXT,
    "monnode" TEXT,
    "node" TEXT,
    "application" TEXT,
    "component" TEXT,
    "id" TEXT,
    "severity" TEXT,
    "message" TEXT,
    "rawdata" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("recid")
);

CREATE TABLE "hosts" (
    "node" TEXT NOT NULL,
    "ip" TEXT,
    "hostnames" TEXT,
    "otherinterfaces" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("node")
);

CREATE TABLE "hwinv" (
    "node" TEXT NOT NULL,
    "cputype" TEXT,
    "cpucount" TEXT,
    "memory" TEXT,
    "disksize" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("node")
);

CREATE TABLE "hypervisor" (
    "node" TEXT NOT NULL,
    "type" TEXT,
    "mgr" TEXT,
    "interface" TEXT,
    "netmap" TEXT,
    "defaultnet" TEXT,
    "cluster" TEXT,
    "datacenter" TEXT,
    "preferdirect" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("node")
);

CREATE TABLE "ipmi" (
    "node" TEXT NOT NULL,
    "bmc" TEXT,
    "bmcport" TEXT,
    "taggedvlan" TEXT,
    "bmcid" TEXT,
    "username" TEXT,
    "password" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("node")
);

CREATE TABLE "iscsi" (
    "node" TEXT NOT NULL,
    "server" TEXT,
    "target" TEXT,
    "lun" TEXT,
    "iname" TEXT,
    "file" TEXT,
    "userid" TEXT,
    "passwd" TEXT,
    "kernel" TEXT,
    "kcmdline" TEXT,
    "initrd" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("node")
);

CREATE TABLE "kvm_nodedata" (
    "node" TEXT NOT NULL,
    "xml" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("node")
);

CREATE TABLE "linuximage" (
    "imagename" TEXT NOT NULL,
    "template" TEXT,
    "boottarget" TEXT,
    "addkcmdline" TEXT,
    "pkglist" TEXT,
    "pkgdir" TEXT,
    "otherpkglist" TEXT,
    "otherpkgdir" TEXT,
    "exlist" TEXT,
    "postinstall" TEXT,
    "rootimgdir" TEXT,
    "kerneldir" TEXT,
    "nodebootif" TEXT,
    "otherifce" TEXT,
    "netdrivers" TEXT,
    "kernelver" TEXT,
    "krpmver" TEXT,
    "permission" TEXT,
    "dump" TEXT,
    "crashkernelsize" TEXT,
    "partitionfile" TEXT,
    "driverupdatesrc" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("imagename")
);

CREATE TABLE "mac" (
    "node" TEXT NOT NULL,
    "interface" TEXT,
    "mac" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("node")
);

CREATE TABLE "monitoring" (
    "name" TEXT NOT NULL,
    "nodestatmon" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("name")
);

CREATE TABLE "monsetting" (
    "name" TEXT NOT NULL ON CONFLICT REPLACE DEFAULT '',
    "key" TEXT NOT NULL ON CONFLICT REPLACE DEFAULT '',
    "value" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("name", "key")
);

CREATE TABLE "mp" (
    "node" TEXT NOT NULL,
    "mpa" TEXT,
    "id" TEXT,
    "nodetype" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("node")
);

CREATE TABLE "networks" (
    "netname" TEXT,
    "net" TEXT NOT NULL ON CONFLICT REPLACE DEFAULT '',
    "mask" TEXT NOT NULL ON CONFLICT REPLACE DEFAULT '',
    "mgtifname" TEXT,
    "gateway" TEXT,
    "dhcpserver" TEXT,
    "tftpserver" TEXT,
    "nameservers" TEXT,
    "ntpservers" TEXT,
    "logservers" TEXT,
    "dynamicrange" TEXT,
    "staticrange" TEXT,
    "staticrangeincrement" TEXT,
    "nodehostname" TEXT,
    "ddnsdomain" TEXT,
    "vlanid" TEXT,
    "domain" TEXT,
    "mtu" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("net", "mask")
);

CREATE TABLE "nics" (
    "node" TEXT NOT NULL,
    "nicips" TEXT,
    "nichostnamesuffixes" TEXT,
    "nichostnameprefixes" TEXT,
    "nictypes" TEXT,
    "niccustomscripts" TEXT,
    "nicnetworks" TEXT,
    "nicaliases" TEXT,
    "nicextraparams" TEXT,
    "nicdevices" TEXT,
    "nicsadapter" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("node")
);

CREATE TABLE "nodegroup" (
    "groupname" TEXT NOT NULL,
    "grouptype" TEXT,
    "members" TEXT,
    "membergroups" TEXT,
    "wherevals" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("groupname")
);

CREATE TABLE "nodehm" (
    "node" TEXT NOT NULL,
    "power" TEXT,
    "mgt" TEXT,
    "cons" TEXT,
    "termserver" TEXT,
    "termport" TEXT,
    "conserver" TEXT,
    "serialport" TEXT,
    "serialspeed" TEXT,
    "serialflow" TEXT,
    "getmac" TEXT,
    "cmdmapping" TEXT,
    "consoleondemand" TEXT,
    "consoleenabled" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("node")
);

CREATE TABLE "nodelist" (
    "node" TEXT NOT NULL,
    "groups" TEXT,
    "status" TEXT,
    "statustime" TEXT,
    "appstatus" TEXT,
    "appstatustime" TEXT,
    "primarysn" TEXT,
    "hidden" TEXT,
    "updatestatus" TEXT,
    "updatestatustime" TEXT,
    "zonename" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("node")
);

CREATE TABLE "nodepos" (
    "node" TEXT NOT NULL,
    "rack" TEXT,
    "u" TEXT,
    "chassis" TEXT,
    "slot" TEXT,
    "room" TEXT,
    "height" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("node")
);

CREATE TABLE "noderes" (
    "node" TEXT NOT NULL,
    "servicenode" TEXT,
    "netboot" TEXT,
    "tftpserver" TEXT,
    "tftpdir" TEXT,
    "nfsserver" TEXT,
    "monserver" TEXT,
    "nfsdir" TEXT,
    "installnic" TEXT,
    "primarynic" TEXT,
    "discoverynics" TEXT,
    "cmdinterface" TEXT,
    "xcatmaster" TEXT,
    "current_osimage" TEXT,
    "next_osimage" TEXT,
    "nimserver" TEXT,
    "routenames" TEXT,
    "nameservers" TEXT,
    "proxydhcp" TEXT,
    "syslog" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("node")
);

CREATE TABLE "nodetype" (
    "node" TEXT NOT NULL,
    "os" TEXT,
    "arch" TEXT,
    "profile" TEXT,
    "provmethod" TEXT,
    "supportedarchs" TEXT,
    "nodetype" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("node")
);

CREATE TABLE "notification" (
    "filename" TEXT NOT NULL,
    "tables" TEXT,
    "tableops" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("filename")
);

CREATE TABLE "openbmc" (
    "node" TEXT NOT NULL,
    "bmc" TEXT,
    "consport" TEXT,
    "taggedvlan" TEXT,
    "username" TEXT,
    "password" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("node")
);

CREATE TABLE "osimage" (
    "imagename" TEXT NOT NULL,
    "groups" TEXT,
    "profile" TEXT,
    "imagetype" TEXT,
    "description" TEXT,
    "provmethod" TEXT,
    "rootfstype" TEXT,
    "nfsrootopts" TEXT,
    "osdistroname" TEXT,
    "osupdatename" TEXT,
    "cfmdir" TEXT,
    "osname" TEXT,
    "osvers" TEXT,
    "osarch" TEXT,
    "synclists" TEXT,
    "postscripts" TEXT,
    "postbootscripts" TEXT,
    "serverrole" TEXT,
    "isdeletable" TEXT,
    "kitcomponents" TEXT,
    "environvar" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("imagename")
);

CREATE TABLE "passwd" (
    "key" TEXT NOT NULL ON CONFLICT REPLACE DEFAULT '',
    "username" TEXT NOT NULL ON CONFLICT REPLACE DEFAULT '',
    "password" TEXT,
    "cryptmethod" TEXT,
    "authdomain" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("key", "username")
);

CREATE TABLE "pduoutlet" (
    "node" TEXT NOT NULL,
    "pdu" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("node")
);

CREATE TABLE "policy" (
    "priority" TEXT NOT NULL,
    "name" TEXT,
    "host" TEXT,
    "commands" TEXT,
    "noderange" TEXT,
    "parameters" TEXT,
    "time" TEXT,
    "rule" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("priority")
);

CREATE TABLE "postscripts" (
    "node" TEXT NOT NULL,
    "postscripts" TEXT,
    "postbootscripts" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("node")
);

CREATE TABLE "prescripts" (
    "node" TEXT NOT NULL,
    "begin" TEXT,
    "end" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("node")
);

CREATE TABLE "routes" (
    "routename" TEXT NOT NULL,
    "net" TEXT,
    "mask" TEXT,
    "gateway" TEXT,
    "ifname" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("routename")
);

CREATE TABLE "servicenode" (
    "node" TEXT NOT NULL,
    "nameserver" TEXT,
    "dhcpserver" TEXT,
    "tftpserver" TEXT,
    "nfsserver" TEXT,
    "conserver" TEXT,
    "monserver" TEXT,
    "ldapserver" TEXT,
    "ntpserver" TEXT,
    "ftpserver" TEXT,
    "nimserver" TEXT,
    "ipforward" TEXT,
    "dhcpinterfaces" TEXT,
    "proxydhcp" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("node")
);

CREATE TABLE "site" (
    "key" TEXT NOT NULL,
    "value" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("key")
);

CREATE TABLE "storage" (
    "node" TEXT NOT NULL,
    "osvolume" TEXT,
    "size" TEXT,
    "state" TEXT,
    "storagepool" TEXT,
    "hypervisor" TEXT,
    "fcprange" TEXT,
    "volumetag" TEXT,
    "type" TEXT,
    "controller" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("node")
);

CREATE TABLE "switch" (
    "node" TEXT NOT NULL ON CONFLICT REPLACE DEFAULT '',
    "switch" TEXT NOT NULL ON CONFLICT REPLACE DEFAULT '',
    "port" TEXT NOT NULL ON CONFLICT REPLACE DEFAULT '',
    "vlan" TEXT,
    "interface" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("node", "switch", "port")
);

CREATE TABLE "switches" (
    "switch" TEXT NOT NULL,
    "snmpversion" TEXT,
    "username" TEXT,
    "password" TEXT,
    "privacy" TEXT,
    "auth" TEXT,
    "linkports" TEXT,
    "sshusername" TEXT,
    "sshpassword" TEXT,
    "protocol" TEXT,
    "switchtype" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("switch")
);

CREATE TABLE "taskstate" (
    "node" TEXT NOT NULL,
    "command" TEXT,
    "state" TEXT,
    "pid" TEXT,
    "reserve" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("node")
);

CREATE TABLE "token" (
    "tokenid" TEXT NOT NULL,
    "username" TEXT,
    "expire" TEXT,
    "created" TEXT,
    "access" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("tokenid")
);

CREATE TABLE "virtsd" (
    "node" TEXT NOT NULL,
    "sdtype" TEXT,
    "stype" TEXT,
    "location" TEXT,
    "host" TEXT,
    "cluster" TEXT,
    "datacenter" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("node")
);

CREATE TABLE "vm" (
    "node" TEXT NOT NULL,
    "mgr" TEXT,
    "host" TEXT,
    "migrationdest" TEXT,
    "storage" TEXT,
    "storagemodel" TEXT,
    "storagecache" TEXT,
    "storageformat" TEXT,
    "cfgstore" TEXT,
    "memory" TEXT,
    "cpus" TEXT,
    "nics" TEXT,
    "nicmodel" TEXT,
    "bootorder" TEXT,
    "clockoffset" TEXT,
    "virtflags" TEXT,
    "master" TEXT,
    "vncport" TEXT,
    "textconsole" TEXT,
    "powerstate" TEXT,
    "beacon" TEXT,
    "datacenter" TEXT,
    "cluster" TEXT,
    "guestostype" TEXT,
    "othersettings" TEXT,
    "physlots" TEXT,
    "vidmodel" TEXT,
    "vidproto" TEXT,
    "vidpassword" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("node")
);

CREATE TABLE "vmmaster" (
    "name" TEXT NOT NULL,
    "os" TEXT,
    "arch" TEXT,
    "profile" TEXT,
    "storage" TEXT,
    "storagemodel" TEXT,
    "nics" TEXT,
    "vintage" TEXT,
    "originator" TEXT,
    "virttype" TEXT,
    "specializeparameters" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("name")
);

CREATE TABLE "vpd" (
    "node" TEXT NOT NULL,
    "serial" TEXT,
    "mtm" TEXT,
    "side" TEXT,
    "asset" TEXT,
    "uuid" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("node")
);

CREATE TABLE "zone" (
    "zonename" TEXT NOT NULL,
    "sshkeydir" TEXT,
    "sshbetweennodes" TEXT,
    "defaultzone" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("zonename")
);
