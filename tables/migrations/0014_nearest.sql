-- Which registries a host asks first.
CREATE TABLE "dockerhost_new" (
    "node" TEXT NOT NULL,
    "endpoint" TEXT,
    "socket" TEXT,
    "packages" TEXT,
    "pools" TEXT,
    "mtu" TEXT,
    "logmaxsize" TEXT,
    "logmaxfile" TEXT,
    "liverestore" TEXT,
    "shutdowntimeout" TEXT,
    "mirrors" TEXT,
    "insecure" TEXT,
    "trust" TEXT,
    "registries" TEXT,
    "dataroot" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("node")
);
INSERT INTO "dockerhost_new" (
    "node", "endpoint", "socket", "packages", "pools", "mtu", "logmaxsize", "logmaxfile", "liverestore",
    "shutdowntimeout", "mirrors", "insecure", "trust", "dataroot", "comments", "disable"
) SELECT
    "node", "endpoint", "socket", "packages", "pools", "mtu", "logmaxsize", "logmaxfile", "liverestore",
    "shutdowntimeout", "mirrors", "insecure", "trust", "dataroot", "comments", "disable"
FROM "dockerhost" ORDER BY rowid;
DROP TABLE "dockerhost";
ALTER TABLE "dockerhost_new" RENAME TO "dockerhost";
