package store

import (
	"log/slog"
	"path/filepath"
	"testing"
)

func openDuckDB(t testing.TB, path string) *DuckDB {
	t.Helper()
	config := DefaultDuckDBConfig()
	config.Path, config.Threads = path, 2
	d, err := OpenDuckDB(t.Context(), config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDuckDBInMemory(t *testing.T) {
	testStore(t, func(t *testing.T) Store { return openDuckDB(t, "") })
}

func TestDuckDBOnDisk(t *testing.T) {
	testStore(t, func(t *testing.T) Store { return openDuckDB(t, filepath.Join(t.TempDir(), "sundew.duckdb")) })
}
