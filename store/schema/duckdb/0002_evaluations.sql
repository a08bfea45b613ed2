-- What rules were asked about. Behind these columns stands one DOUBLE for each feature of sundew.Catalogue, added when the
-- store is opened by a program that knows it: NULL where the evaluation is older than the feature.
CREATE TABLE evaluations (
	log_partition INTEGER NOT NULL,
	log_offset    BIGINT NOT NULL,
	time          TIMESTAMP NOT NULL,
	entity_kind   ENUM ('', 'ip', 'prefix', 'device', 'account', 'api_key', 'fingerprint', 'asn') NOT NULL,
	entity_key    VARCHAR NOT NULL,
	points        DOUBLE NOT NULL,
	nats          DOUBLE NOT NULL,
	weight        DOUBLE NOT NULL,
	evidence      VARCHAR, -- JSON
	fired         VARCHAR, -- JSON, a list of id@version
	method        VARCHAR,
	host          VARCHAR,
	path          VARCHAR,
	route         VARCHAR,
	status        SMALLINT NOT NULL
);

-- Next offset of the events whose evaluations are stored.
ALTER TABLE positions ADD COLUMN evaluations_next BIGINT DEFAULT 0;
