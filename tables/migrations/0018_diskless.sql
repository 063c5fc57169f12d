-- What packimage has made of diskless images.
CREATE TABLE "disklessimage" (
    "imagename" TEXT NOT NULL,
    "release" TEXT,
    "kerneldigest" TEXT,
    "initrddigest" TEXT,
    "rootdigest" TEXT,
    "rootsize" TEXT,
    "packed" TEXT,
    "packedby" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("imagename")
);
