-- The registries from which hosts have their images.
CREATE TABLE "registry" (
    "name" TEXT NOT NULL,
    "node" TEXT,
    "address" TEXT,
    "port" TEXT,
    "storage" TEXT,
    "auth" TEXT,
    "upstream" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("name")
);
