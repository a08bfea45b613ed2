-- Which versions of rules and policies ran, and when.
CREATE TABLE rule_versions (
	id           VARCHAR NOT NULL,
	version      VARCHAR NOT NULL,
	status       VARCHAR NOT NULL,
	entity_kind  VARCHAR NOT NULL,
	title        VARCHAR,
	owner        VARCHAR,
	first_loaded TIMESTAMP NOT NULL,
	last_loaded  TIMESTAMP NOT NULL
);
