package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

// schemaFiles are the steps of the schema, numbered from 1 without gaps. A step that was released is never changed.
//
//go:embed schema/duckdb/*.sql
var schemaFiles embed.FS

// migrate takes every step that the database has not seen, each in a transaction of its own, and returns the version that it
// had.
func migrate(ctx context.Context, db *sql.DB, name string) (from int, err error) {
	steps := schemaSteps()
	if _, err := db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS schema_steps (version INTEGER NOT NULL)`); err != nil {
		return 0, fmt.Errorf("schema of %s: %w", name, err)
	}
	if from, err = schemaVersion(ctx, db); err != nil {
		return 0, fmt.Errorf("schema of %s: %w", name, err)
	}
	if from > len(steps) {
		return from, newerSchema(name, from, len(steps))
	}
	for version := from; version < len(steps); version++ {
		if err := takeStep(ctx, db, version+1, steps[version]); err != nil {
			return from, fmt.Errorf("schema of %s: step %s: %w", name, steps[version], err)
		}
	}
	return from, nil
}

func newerSchema(name string, version, known int) error {
	return fmt.Errorf("schema of %s has version %d, this program knows up to %d: run the newer sundew that wrote it, or choose another store path", name, version, known)
}

// checkSchema finds a database that this program cannot ask.
func checkSchema(ctx context.Context, db *sql.DB, name string) error {
	version, err := schemaVersion(ctx, db)
	if err != nil {
		return fmt.Errorf("schema of %s: %w: it may be the database of another program, or a store that was never finished", name, err)
	}
	switch known := SchemaVersion(); {
	case version > known:
		return newerSchema(name, version, known)
	case version < known:
		return fmt.Errorf("schema of %s has version %d, this program wants %d: run sundew store migrate, or start sundew run once", name, version, known)
	}
	return nil
}

// SchemaVersion is the version of the schema that this program writes.
func SchemaVersion() int { return len(schemaSteps()) }

func schemaSteps() []string {
	steps, _ := fs.Glob(schemaFiles, "schema/duckdb/*.sql") // the pattern is right, and the files are in memory
	return steps
}

func schemaVersion(ctx context.Context, db *sql.DB) (version int, err error) {
	err = db.QueryRowContext(ctx, `SELECT coalesce(max(version), 0) FROM schema_steps`).Scan(&version)
	return version, err
}

func takeStep(ctx context.Context, db *sql.DB, version int, file string) error {
	statements, err := schemaFiles.ReadFile(file)
	if err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	if _, err := tx.ExecContext(ctx, strings.TrimSpace(string(statements))); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO schema_steps VALUES (?)`, version); err != nil {
		return err
	}
	return tx.Commit()
}
