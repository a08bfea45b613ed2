// Package store keeps what happened and gives it back: requests, scores, decisions and dead letters for analysts
// ([Store], with [DuckDB] as the engine that runs inside the process), and the scoring state itself ([Snapshots]).
//
// # Exactly once
//
// The log is read at least once, so every batch may come again. A store therefore keeps a resume point per partition in
// the same transaction as the rows: what lies before it is skipped, and what a crash cut off is not there at all. After
// any number of restarts the rows are those of the log up to the resume point, each once. Decisions are replaced by
// their identifier, dead letters are kept once by source, partition and offset.
//
// # Time
//
// Times are kept in microseconds UTC. A [sundew.Range] is cut to microseconds in the same way, so an Event is found by
// the range it was in.
//
// # Order of the files
//
// store.go holds the interface, duckdb.go the engine's settings and its life, duckdb_record.go the way in; each further
// duckdb_*.go file is one question and its answer. snapshots.go and snapshot_format.go stand apart: they use no database.
package store
