-- What modules have been applied.
CREATE TABLE "module" (
    "module" TEXT NOT NULL,
    "version" TEXT,
    "status" TEXT,
    "serial" TEXT,
    "state" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("module")
);
