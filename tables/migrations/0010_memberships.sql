-- The nodes of each group as one range, and under the empty name those of all: a hundred thousand are one short row.
-- Whatever changes who they are empties the table, the end of that change fills it; while it is empty, nodelist tells.
CREATE TABLE membership ("name" TEXT PRIMARY KEY, "nodes" TEXT NOT NULL) WITHOUT ROWID;

CREATE TRIGGER nodelist_inserted AFTER INSERT ON nodelist BEGIN
    DELETE FROM membership;
END;

CREATE TRIGGER nodelist_deleted AFTER DELETE ON nodelist BEGIN
    DELETE FROM membership;
END;

CREATE TRIGGER nodelist_updated AFTER UPDATE OF node, groups, disable ON nodelist
WHEN old.node IS NOT new.node OR old.groups IS NOT new.groups OR old.disable IS NOT new.disable BEGIN
    DELETE FROM membership;
END;

-- Few nodes are hidden, and every list of all nodes asks which.
CREATE INDEX nodelist_hidden ON nodelist (node) WHERE hidden = '1';
