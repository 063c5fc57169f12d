-- A machine has one lease: what it had before is looked for with each one that is written.
CREATE INDEX lease_mac ON lease (mac);
