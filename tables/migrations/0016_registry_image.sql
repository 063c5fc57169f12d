-- The image that a registry's server runs from.
CREATE TABLE "registry_new" (
    "name" TEXT NOT NULL,
    "node" TEXT,
    "address" TEXT,
    "port" TEXT,
    "storage" TEXT,
    "auth" TEXT,
    "image" TEXT,
    "upstream" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("name")
);
INSERT INTO "registry_new" ("name", "node", "address", "port", "storage", "auth", "upstream", "comments", "disable")
SELECT "name", "node", "address", "port", "storage", "auth", "upstream", "comments", "disable"
FROM "registry" ORDER BY rowid;
DROP TABLE "registry";
ALTER TABLE "registry_new" RENAME TO "registry";
