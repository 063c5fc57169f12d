-- Circuits, and what machines draw from them.
CREATE TABLE "circuit" (
    "circuit" TEXT NOT NULL,
    "watts" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("circuit")
);
CREATE TABLE "feed" (
    "node" TEXT NOT NULL,
    "circuits" TEXT,
    "watts" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("node")
);
