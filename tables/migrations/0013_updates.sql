-- Updates of nodes' images that are not finished.
CREATE TABLE "nodeupdate" (
    "node" TEXT NOT NULL,
    "image" TEXT,
    "digest" TEXT,
    "fromimage" TEXT,
    "fromdigest" TEXT,
    "ownimage" TEXT,
    "power" TEXT,
    "state" TEXT,
    "since" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("node")
);
