CREATE TABLE "ssh" (
    "node" TEXT NOT NULL,
    "port" TEXT,
    "user" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("node")
);
