-- A container may be in several networks, and share its host's file of names.
CREATE TABLE "docker_new" (
    "node" TEXT NOT NULL,
    "command" TEXT,
    "entrypoint" TEXT,
    "env" TEXT,
    "user" TEXT,
    "workdir" TEXT,
    "hostname" TEXT,
    "tty" TEXT,
    "cpuset" TEXT,
    "swap" TEXT,
    "volumes" TEXT,
    "tmpfs" TEXT,
    "ports" TEXT,
    "links" TEXT,
    "extrahosts" TEXT,
    "dns" TEXT,
    "devices" TEXT,
    "ulimits" TEXT,
    "shmsize" TEXT,
    "capadd" TEXT,
    "capdrop" TEXT,
    "privileged" TEXT,
    "sysctls" TEXT,
    "init" TEXT,
    "restart" TEXT,
    "stopsignal" TEXT,
    "stoptimeout" TEXT,
    "labels" TEXT,
    "logopts" TEXT,
    "health" TEXT,
    "imagedigest" TEXT,
    "readonly" TEXT,
    "gateway" TEXT,
    "hostsfile" TEXT,
    "comments" TEXT,
    "disable" TEXT,
    PRIMARY KEY ("node")
);

INSERT INTO "docker_new" (
    "node", "command", "entrypoint", "env", "user", "workdir", "hostname", "tty", "cpuset", "swap", "volumes",
    "tmpfs", "ports", "links", "extrahosts", "dns", "devices", "ulimits", "shmsize", "capadd", "capdrop",
    "privileged", "sysctls", "init", "restart", "stopsignal", "stoptimeout", "labels", "logopts", "health",
    "imagedigest", "readonly", "comments", "disable"
) SELECT
    "node", "command", "entrypoint", "env", "user", "workdir", "hostname", "tty", "cpuset", "swap", "volumes",
    "tmpfs", "ports", "links", "extrahosts", "dns", "devices", "ulimits", "shmsize", "capadd", "capdrop",
    "privileged", "sysctls", "init", "restart", "stopsignal", "stoptimeout", "labels", "logopts", "health",
    "imagedigest", "readonly", "comments", "disable"
FROM "docker" ORDER BY rowid;

DROP TABLE "docker";
ALTER TABLE "docker_new" RENAME TO "docker";
