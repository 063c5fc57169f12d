-- Addresses that DHCP has given to machines that have none of their own.
CREATE TABLE "lease" (
    "ip" TEXT NOT NULL,
    "mac" TEXT,
    "until" TEXT,
    "client" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("ip")
);
