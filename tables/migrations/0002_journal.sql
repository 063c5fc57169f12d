-- One entry a command, one change a row that the command changed.
CREATE TABLE journal (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time INTEGER NOT NULL, -- milliseconds since 1970
    user TEXT NOT NULL,
    command TEXT NOT NULL,
    reason TEXT
);
CREATE INDEX journal_time ON journal (time);
CREATE TABLE journal_change (
    id INTEGER PRIMARY KEY, -- order of the changes
    journal INTEGER NOT NULL REFERENCES journal (id),
    "table" TEXT NOT NULL,
    key TEXT NOT NULL, -- JSON array of the key cells, in schema order
    before TEXT, -- JSON object of the set cells; NULL where the row was not there
    after TEXT
);
CREATE INDEX journal_change_journal ON journal_change (journal);
CREATE INDEX journal_change_key ON journal_change (key);

-- The few nodes that are hidden, so that listing the others need not read every row.
CREATE INDEX nodelist_disabled ON nodelist (node, disable) WHERE disable <> '';
