// Package store keeps what happened and gives it back: requests, scores, decisions and dead letters for analysts
// ([Store], with [DuckDB] as the engine that runs inside the process and [ClickHouse] as the one of many machines), and the
// scoring state itself ([Snapshots]).
//
// # Exactly once
//
// The log is read at least once, so every batch may come again. A store therefore keeps a resume point per partition with
// the rows: what lies before it is skipped, and what a crash cut off is not there at all. DuckDB keeps it in the same
// transaction; ClickHouse, which has none, reads it from the rows, of which an insert writes all or nothing, and lets the
// server refuse a second insert that begins at the same event. After any number of restarts the rows are those of the log
// up to the resume point, each once. Decisions are replaced by their identifier, dead letters are kept once by source,
// partition and offset.
//
// # Time
//
// Times are kept in microseconds UTC. A [sundew.Range] is cut to microseconds in the same way, so an Event is found by
// the range it was in.
//
// # Order of the files
//
// store.go holds the interface, duckdb.go and clickhouse.go an engine's settings and its life, their *_record.go the way
// in; each further duckdb_*.go and clickhouse_*.go file is one question and its answer. snapshots.go and snapshot_format.go stand apart: they use no database.
package store
