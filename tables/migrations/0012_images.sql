-- Container images as objects, what nodes are pinned to, and which node ran what.
CREATE TABLE "containerimage" (
    "imagename" TEXT NOT NULL,
    "digest" TEXT,
    "size" TEXT,
    "source" TEXT,
    "parent" TEXT,
    "created" TEXT,
    "createdby" TEXT,
    "message" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("imagename")
);

CREATE TABLE "nodeimage" (
    "node" TEXT NOT NULL,
    "image" TEXT,
    "digest" TEXT,
    "since" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("node")
);

CREATE TABLE "imageledger" (
    "id" TEXT NOT NULL,
    "time" TEXT,
    "node" TEXT,
    "host" TEXT,
    "image" TEXT,
    "digest" TEXT,
    "what" TEXT,
    "why" TEXT,
    "who" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("id")
);
