-- When the newest entry was made that the journal has forgotten, if any: what the tables were before cannot be told.
CREATE TABLE journal_forgotten (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    time INTEGER NOT NULL -- milliseconds since 1970
);
