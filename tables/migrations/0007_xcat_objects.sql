CREATE TABLE "boottarget" (
    "bprofile" TEXT NOT NULL,
    "kernel" TEXT,
    "initrd" TEXT,
    "kcmdline" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("bprofile")
);

CREATE TABLE "firmware" (
    "node" TEXT NOT NULL,
    "cfgfile" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("node")
);

CREATE TABLE "kit" (
    "kitname" TEXT NOT NULL,
    "basename" TEXT,
    "description" TEXT,
    "version" TEXT,
    "release" TEXT,
    "ostype" TEXT,
    "isinternal" TEXT,
    "kitdeployparams" TEXT,
    "kitdir" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("kitname")
);

CREATE TABLE "kitcomponent" (
    "kitcompname" TEXT NOT NULL,
    "description" TEXT,
    "kitname" TEXT,
    "kitreponame" TEXT,
    "basename" TEXT,
    "version" TEXT,
    "release" TEXT,
    "serverroles" TEXT,
    "kitpkgdeps" TEXT,
    "prerequisite" TEXT,
    "driverpacks" TEXT,
    "kitcompdeps" TEXT,
    "postbootscripts" TEXT,
    "genimage_postinstall" TEXT,
    "exlist" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("kitcompname")
);

CREATE TABLE "kitrepo" (
    "kitreponame" TEXT NOT NULL,
    "kitname" TEXT,
    "osbasename" TEXT,
    "osmajorversion" TEXT,
    "osminorversion" TEXT,
    "osarch" TEXT,
    "compat_osbasenames" TEXT,
    "kitrepodir" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("kitreponame")
);

CREATE TABLE "osdistro" (
    "osdistroname" TEXT NOT NULL,
    "basename" TEXT,
    "majorversion" TEXT,
    "minorversion" TEXT,
    "arch" TEXT,
    "type" TEXT,
    "dirpaths" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("osdistroname")
);

CREATE TABLE "osdistroupdate" (
    "osupdatename" TEXT NOT NULL,
    "osdistroname" TEXT,
    "dirpath" TEXT,
    "downloadtime" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("osupdatename")
);

CREATE TABLE "pdu" (
    "node" TEXT NOT NULL,
    "nodetype" TEXT,
    "pdutype" TEXT,
    "outlet" TEXT,
    "username" TEXT,
    "password" TEXT,
    "snmpversion" TEXT,
    "community" TEXT,
    "snmpuser" TEXT,
    "authtype" TEXT,
    "authkey" TEXT,
    "privtype" TEXT,
    "privkey" TEXT,
    "seclevel" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("node")
);

CREATE TABLE "rack" (
    "rackname" TEXT NOT NULL,
    "displayname" TEXT,
    "num" TEXT,
    "height" TEXT,
    "room" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("rackname")
);
