-- Many nodes share few lists of groups: by this a group's members are found without reading every node.
CREATE INDEX nodelist_groups ON nodelist (groups, node, disable);
