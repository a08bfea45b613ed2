-- Times are UTC. Empty text is NULL; -1 stands for an unknown number, as in sundew.Event. The order of the columns is
-- the order in which rows are appended.
--
-- No table has a key or an index. When the disk refuses a commit, the engine takes the rows back and leaves their index
-- entries, which then forbid the same rows for ever. What must be unique is kept so by the statements that write it.

-- Next offset per partition: of the events stored, and of the events whose scores are stored.
CREATE TABLE positions (
	log_partition INTEGER NOT NULL,
	events_next   BIGINT NOT NULL,
	scores_next   BIGINT NOT NULL
);

-- Rows arrive in the order of time, so the minimum and maximum of each row group find a range.
CREATE TABLE events (
	log_partition        INTEGER NOT NULL,
	log_offset           BIGINT NOT NULL,
	time                 TIMESTAMP NOT NULL,
	client_high          UBIGINT NOT NULL, -- the address as 128 bits, IPv4 mapped into ::ffff:0:0/96 (RFC 4291, 2.5.5.2)
	client_low           UBIGINT NOT NULL,
	forwarded            VARCHAR,
	method               VARCHAR,
	host                 VARCHAR,
	path                 VARCHAR,
	query                VARCHAR,
	route                VARCHAR,
	status               SMALLINT NOT NULL,
	request_bytes        BIGINT NOT NULL,
	response_bytes       BIGINT NOT NULL,
	duration_ns          BIGINT NOT NULL,
	user_agent           VARCHAR,
	referer              VARCHAR,
	device               VARCHAR,
	account              VARCHAR,
	api_key              VARCHAR,
	session              VARCHAR,
	ja4                  VARCHAR,
	country              VARCHAR,
	asn                  UINTEGER NOT NULL,
	auth                 ENUM ('', 'success', 'failure') NOT NULL,
	auth_username        VARCHAR,
	object               VARCHAR,
	attestation          ENUM ('', 'valid', 'invalid', 'expired', 'missing', 'replayed') NOT NULL,
	attestation_provider VARCHAR,
	signature            ENUM ('', 'valid', 'invalid', 'expired', 'missing', 'replayed') NOT NULL,
	captcha_score        DOUBLE NOT NULL,
	device_age_ns        BIGINT NOT NULL,
	request_id           VARCHAR,
	gateway              VARCHAR,
	gateway_epoch        UBIGINT NOT NULL,
	gateway_sequence     UBIGINT NOT NULL,
	edge_action          ENUM ('', 'observe', 'tarpit', 'challenge', 'block') NOT NULL,
	edge_delay_ns        BIGINT NOT NULL,
	decision_id          VARCHAR,
	attributes           VARCHAR -- JSON, a list of {"Key","Value"} in the order of the line
);

CREATE TABLE scores (
	time        TIMESTAMP NOT NULL,
	entity_kind ENUM ('', 'ip', 'prefix', 'device', 'account', 'api_key', 'fingerprint', 'asn') NOT NULL,
	entity_key  VARCHAR NOT NULL,
	points      DOUBLE NOT NULL,
	nats        DOUBLE NOT NULL,
	evidence    VARCHAR -- JSON
);

CREATE TABLE decisions (
	id          VARCHAR NOT NULL,
	time        TIMESTAMP NOT NULL,
	entity_kind ENUM ('', 'ip', 'prefix', 'device', 'account', 'api_key', 'fingerprint', 'asn') NOT NULL,
	entity_key  VARCHAR NOT NULL,
	narrowed_by VARCHAR, -- JSON, a list of entities
	action      ENUM ('', 'observe', 'tarpit', 'challenge', 'block') NOT NULL,
	delay_ns    BIGINT NOT NULL,
	score       DOUBLE NOT NULL,
	rule        VARCHAR,
	evidence    VARCHAR, -- JSON
	expires     TIMESTAMP NOT NULL,
	shadow      BOOLEAN NOT NULL,
	version     BIGINT NOT NULL,
	basis       VARCHAR,
	sentence    VARCHAR
);

CREATE TABLE dead_letters (
	source        VARCHAR NOT NULL,
	log_partition INTEGER NOT NULL,
	log_offset    BIGINT NOT NULL,
	time          TIMESTAMP NOT NULL,
	format        VARCHAR,
	reason        VARCHAR,
	detail        VARCHAR,
	line          VARCHAR
);
