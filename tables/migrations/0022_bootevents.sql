-- What was seen of machines that boot.
CREATE TABLE "bootevent" (
    "id" TEXT NOT NULL,
    "time" TEXT,
    "node" TEXT,
    "mac" TEXT,
    "interface" TEXT,
    "kind" TEXT,
    "subject" TEXT,
    "detail" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("id")
);
-- Rows are looked up and pruned by node; those of strangers have none.
CREATE INDEX bootevent_node ON bootevent (COALESCE("node", ''));
