-- Requests by minute of event time, so that a chart need not count events. Each batch appends what it adds to a minute, what
-- is erased is appended with a minus, and a minute's count is the sum of its rows.
CREATE TABLE minutes (
	time          TIMESTAMP NOT NULL, -- start of the minute
	requests      BIGINT NOT NULL,
	client_errors BIGINT NOT NULL,
	server_errors BIGINT NOT NULL
);
INSERT INTO minutes
	SELECT date_trunc('minute', time) AS minute, count(*), count(*) FILTER (status BETWEEN 400 AND 499), count(*) FILTER (status BETWEEN 500 AND 599)
	FROM events GROUP BY minute ORDER BY minute;

-- Analysts' words, one by entity, time and person.
CREATE TABLE labels (
	time        TIMESTAMP NOT NULL,
	entity_kind ENUM ('', 'ip', 'prefix', 'device', 'account', 'api_key', 'fingerprint', 'asn') NOT NULL,
	entity_key  VARCHAR NOT NULL,
	verdict     ENUM ('', 'abuse', 'legitimate') NOT NULL,
	said_by     VARCHAR NOT NULL,
	note        VARCHAR
);

-- Who did what to the store. hash is the SHA-256 of the row and of the hash before it, so that a row that was changed or
-- taken away shows.
CREATE TABLE audit (
	number BIGINT NOT NULL, -- from 1 without gaps
	time   TIMESTAMP NOT NULL,
	actor  VARCHAR NOT NULL,
	action VARCHAR NOT NULL,
	detail VARCHAR,
	hash   VARCHAR NOT NULL
);

-- Entities that were erased, by hash, and until when: decisions of before are still in the log, and stay out.
CREATE TABLE erasures (
	entity VARCHAR NOT NULL, -- SHA-256 of kind:key
	until  TIMESTAMP NOT NULL
);

-- Until when events were thinned out: one row, or none.
CREATE TABLE thinned (until TIMESTAMP NOT NULL);
