-- For how long an update had a node down.
CREATE TABLE "imageledger_new" (
    "id" TEXT NOT NULL,
    "time" TEXT,
    "node" TEXT,
    "host" TEXT,
    "image" TEXT,
    "digest" TEXT,
    "what" TEXT,
    "why" TEXT,
    "who" TEXT,
    "downtime" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("id")
);
INSERT INTO "imageledger_new" ("id", "time", "node", "host", "image", "digest", "what", "why", "who", "comments", "disable")
SELECT "id", "time", "node", "host", "image", "digest", "what", "why", "who", "comments", "disable"
FROM "imageledger" ORDER BY rowid;
DROP TABLE "imageledger";
ALTER TABLE "imageledger_new" RENAME TO "imageledger";
