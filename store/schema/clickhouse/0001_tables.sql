-- A template: the engines and the Distributed tables depend on whether there is a cluster. Statements end with a
-- semicolon at the end of a line, and each may run twice, because a step that broke off is taken again. Times are UTC,
-- text that the log did not give is empty, and -1 stands for an unknown number, as in sundew.Event.

-- Next offset per partition of the log, whether its last lines could be read or not.
CREATE TABLE IF NOT EXISTS {{local "positions"}}
(
	log_partition Int32,
	events_next   SimpleAggregateFunction(max, Int64)
)
ENGINE = {{engine "AggregatingMergeTree"}}
ORDER BY log_partition;
{{distributed "positions" "log_partition"}}

-- One insert is one part, all of it or nothing, because log_day is the same in all its rows. So what the table holds of a
-- partition of the log is always the log up to some offset. The projections are in the part, and agree with its rows
-- whenever the server dies; a table filled by a materialised view would not.
--
-- Requests of a client lie beside each other within an hour: that is how they are looked up, and they compress to half.
CREATE TABLE IF NOT EXISTS {{local "events"}}
(
	log_day              Date CODEC(ZSTD(1)), -- of the newest event of the insert
	log_partition        Int32 CODEC(ZSTD(1)),
	log_offset           Int64 CODEC(Delta, ZSTD(1)),
	time                 DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
	client               IPv6 CODEC(ZSTD(1)), -- IPv4 mapped into ::ffff:0:0/96 (RFC 4291, 2.5.5.2)
	forwarded            String CODEC(ZSTD(3)),
	method               LowCardinality(String) CODEC(ZSTD(1)),
	host                 LowCardinality(String) CODEC(ZSTD(1)),
	path                 String CODEC(ZSTD(3)),
	query                String CODEC(ZSTD(3)),
	route                LowCardinality(String) CODEC(ZSTD(1)),
	status               Int16 CODEC(ZSTD(1)),
	request_bytes        Int64 DEFAULT -1 CODEC(T64, ZSTD(1)),
	response_bytes       Int64 DEFAULT -1 CODEC(T64, ZSTD(1)),
	duration_ns          Int64 DEFAULT -1 CODEC(T64, ZSTD(1)),
	user_agent           LowCardinality(String) CODEC(ZSTD(3)),
	referer              String CODEC(ZSTD(3)),
	device               String CODEC(ZSTD(3)),
	account              String CODEC(ZSTD(3)),
	api_key              String CODEC(ZSTD(3)),
	session              String CODEC(ZSTD(3)),
	ja4                  LowCardinality(String) CODEC(ZSTD(1)),
	country              LowCardinality(String) CODEC(ZSTD(1)),
	asn                  UInt32 CODEC(ZSTD(1)),
	auth                 LowCardinality(String) CODEC(ZSTD(1)),
	auth_username        String CODEC(ZSTD(3)),
	object               String CODEC(ZSTD(3)),
	attestation          LowCardinality(String) CODEC(ZSTD(1)),
	attestation_provider LowCardinality(String) CODEC(ZSTD(1)),
	signature            LowCardinality(String) CODEC(ZSTD(1)),
	captcha_score        Float64 DEFAULT -1 CODEC(ZSTD(1)),
	device_age_ns        Int64 DEFAULT -1 CODEC(T64, ZSTD(1)),
	request_id           String CODEC(ZSTD(3)),
	gateway              LowCardinality(String) CODEC(ZSTD(1)),
	gateway_epoch        UInt64 CODEC(ZSTD(1)),
	gateway_sequence     UInt64 CODEC(Delta, ZSTD(1)),
	edge_action          LowCardinality(String) CODEC(ZSTD(1)),
	edge_delay_ns        Int64 CODEC(T64, ZSTD(1)),
	decision_id          String CODEC(ZSTD(3)),
	attributes           String CODEC(ZSTD(3)), -- JSON, a list of {"Key","Value"} in the order of the line

	INDEX by_time time TYPE minmax GRANULARITY 1,
	INDEX by_device device TYPE bloom_filter(0.01) GRANULARITY 1,
	INDEX by_account account TYPE bloom_filter(0.01) GRANULARITY 1,
	INDEX by_api_key api_key TYPE bloom_filter(0.01) GRANULARITY 1,
	INDEX by_ja4 ja4 TYPE bloom_filter(0.01) GRANULARITY 1,

	PROJECTION resume (SELECT log_partition, max(log_offset) GROUP BY log_partition),
	PROJECTION per_minute
	(
		SELECT
			intDiv(toUnixTimestamp64Micro(time), 60000000),
			count(), countIf(status BETWEEN 400 AND 499), countIf(status BETWEEN 500 AND 599)
		GROUP BY intDiv(toUnixTimestamp64Micro(time), 60000000)
	)
)
ENGINE = {{engine "MergeTree"}}
PARTITION BY log_day
ORDER BY (intDiv(toUnixTimestamp64Micro(time), 3600000000), client, time)
SETTINGS {{.Deduplication}}, ttl_only_drop_parts = 1;
{{distributed "events" "log_partition"}}

CREATE TABLE IF NOT EXISTS {{local "scores"}}
(
	log_day       Date CODEC(ZSTD(1)), -- of the newest score of the insert
	log_partition Int32 CODEC(ZSTD(1)),
	log_offset    Int64 CODEC(Delta, ZSTD(1)), -- of the event that was scored, -1 without one
	time          DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
	entity_kind   LowCardinality(String) CODEC(ZSTD(1)),
	entity_key    String CODEC(ZSTD(1)),
	points        Float64 CODEC(ZSTD(1)),
	nats          Float64 CODEC(ZSTD(1)),
	evidence      String CODEC(ZSTD(3)), -- JSON

	INDEX by_time time TYPE minmax GRANULARITY 1,
	PROJECTION resume (SELECT log_partition, max(log_offset) GROUP BY log_partition)
)
ENGINE = {{engine "MergeTree"}}
PARTITION BY log_day
ORDER BY (entity_kind, entity_key, time)
SETTINGS ttl_only_drop_parts = 1;
{{distributed "scores" "log_partition"}}

-- The last one written of an id holds.
CREATE TABLE IF NOT EXISTS {{local "decisions"}}
(
	id          String CODEC(ZSTD(1)),
	time        DateTime64(6, 'UTC') CODEC(ZSTD(1)),
	entity_kind LowCardinality(String) CODEC(ZSTD(1)),
	entity_key  String CODEC(ZSTD(1)),
	narrowed_by String CODEC(ZSTD(1)), -- JSON, a list of entities
	action      LowCardinality(String) CODEC(ZSTD(1)),
	delay_ns    Int64 CODEC(ZSTD(1)),
	score       Float64 CODEC(ZSTD(1)),
	rule        LowCardinality(String) CODEC(ZSTD(1)),
	evidence    String CODEC(ZSTD(3)), -- JSON
	expires     DateTime64(6, 'UTC') CODEC(ZSTD(1)),
	shadow      Bool CODEC(ZSTD(1)),
	version     Int64 CODEC(ZSTD(1)),
	basis       LowCardinality(String) CODEC(ZSTD(1)),
	sentence    String CODEC(ZSTD(3)),
	written     UInt64 CODEC(ZSTD(1))
)
ENGINE = {{engine "ReplacingMergeTree" "written"}}
ORDER BY id;
{{distributed "decisions" "cityHash64(id)"}}

-- The letter of the latest attempt holds; one that was read in the end is gone.
CREATE TABLE IF NOT EXISTS {{local "dead_letters"}}
(
	source        String CODEC(ZSTD(1)),
	log_partition Int32 CODEC(ZSTD(1)),
	log_offset    Int64 CODEC(ZSTD(1)),
	time          DateTime64(6, 'UTC') CODEC(ZSTD(1)),
	format        LowCardinality(String) CODEC(ZSTD(1)),
	reason        LowCardinality(String) CODEC(ZSTD(1)),
	detail        String CODEC(ZSTD(3)),
	line          String CODEC(ZSTD(3)),
	attempt       UInt32 CODEC(ZSTD(1)),
	gone          UInt8 CODEC(ZSTD(1))
)
ENGINE = {{engine "ReplacingMergeTree" "attempt" "gone"}}
ORDER BY (source, log_partition, log_offset);
{{distributed "dead_letters" "cityHash64(source, log_partition, log_offset)"}}
