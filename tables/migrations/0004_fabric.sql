-- How networks are carried over hosts, and where they were made.
CREATE TABLE "fabric" (
    "netname" TEXT NOT NULL,
    "driver" TEXT,
    "hosts" TEXT,
    "uplink" TEXT,
    "vni" TEXT,
    "hub" TEXT,
    "options" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("netname")
);

CREATE TABLE "fabrichost" (
    "netname" TEXT NOT NULL ON CONFLICT REPLACE DEFAULT '',
    "node" TEXT NOT NULL ON CONFLICT REPLACE DEFAULT '',
    "made" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("netname", "node")
);
