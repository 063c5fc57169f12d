-- A Docker host is made from its row: columns for all that its engine is told.
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
    "dataroot" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("node")
);
INSERT INTO "dockerhost_new" ("node", "endpoint", "socket", "comments", "disable")
    SELECT "node", "endpoint", "socket", "comments", "disable" FROM "dockerhost" ORDER BY rowid;
DROP TABLE "dockerhost";
ALTER TABLE "dockerhost_new" RENAME TO "dockerhost";
