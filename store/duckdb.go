package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/duckdb/duckdb-go/v2"
	"github.com/prometheus/client_golang/prometheus"
)

// DuckDBConfig says where the embedded store lies and what it may use.
type DuckDBConfig struct {
	Path        string        `yaml:"path"`         // database file, made where absent; "" keeps everything in memory
	MemoryLimit string        `yaml:"memory_limit"` // of the engine, such as 1GB; queries beyond it spill to disk
	Threads     int           `yaml:"threads"`      // of the engine; 0 means one per core
	MinPoints   float64       `yaml:"min_points"`   // scores below are not kept, 0 to 100
	Retention   time.Duration `yaml:"retention"`    // rows older than the newest Event by more are removed by Run; 0 keeps all
	// RetentionOf is the retention of a table where it is another one: events, minutes (the counts of Overview), scores,
	// evaluations, decisions, labels, dead_letters.
	RetentionOf map[string]time.Duration `yaml:"retention_of"`
	Thin        EventThinning            `yaml:"thin"` // of old events

	QueryTimeout time.Duration `yaml:"query_timeout"` // longest time for one question

	Evaluations EvaluationSampling `yaml:"evaluations"` // what is kept for trying rules on the past

	Metrics prometheus.Registerer `yaml:"-"` // nil counts without showing

	readOnly bool
}

// DefaultDuckDBConfig is a file of a month beside the program.
func DefaultDuckDBConfig() DuckDBConfig {
	return DuckDBConfig{
		Path:         "sundew.duckdb",
		MemoryLimit:  "1GB",
		MinPoints:    20,
		Retention:    30 * 24 * time.Hour,
		QueryTimeout: 30 * time.Second,
		Evaluations:  DefaultEvaluationSampling(),
	}
}

// Validate names the first setting that cannot be used.
func (c *DuckDBConfig) Validate() error {
	switch {
	case strings.ContainsAny(c.Path, "?#%\x00"):
		return fmt.Errorf("path: %q holds one of ? # %% or a zero byte, which the engine reads as settings: choose another name", c.Path)
	case c.Threads < 0:
		return fmt.Errorf("threads: %d is negative: want 0 for one per core, or a number of threads", c.Threads)
	case c.MinPoints < 0 || c.MinPoints > 100:
		return fmt.Errorf("min_points: %g is not between 0 and 100", c.MinPoints)
	case c.QueryTimeout <= 0:
		return fmt.Errorf("query_timeout: %s is not above 0: want a duration such as 30s", c.QueryTimeout)
	}
	return errors.Join(c.validateRetention(), c.Evaluations.Validate())
}

// DuckDB is a Store in one file, or in memory, inside the process. Questions run beside each other and beside the one
// Record or prune that may be under way.
type DuckDB struct {
	config  DuckDBConfig
	log     *slog.Logger
	metrics *storeMetrics
	db      *sql.DB
	unlock  func() error

	migratedFrom int // version of the schema when it was opened

	writing sync.Mutex // held by whoever changes rows: two writers would only conflict

	life   sync.RWMutex // read-held while a method runs, so that Close waits for it
	closed bool
}

var _ Store = (*DuckDB)(nil)

// ErrClosed is what every method of a closed store returns.
var ErrClosed = errors.New("store is closed")

// ErrInUse is what opening a store returns that is open already, here or in another process.
var ErrInUse = errors.New("it is open already")

// OpenDuckDB opens the store and brings its schema up to date. A zero QueryTimeout means the default. It returns an error
// that names the file when another program or another part of this one has it open (ErrInUse), and when a newer program
// wrote it.
func OpenDuckDB(ctx context.Context, config DuckDBConfig, log *slog.Logger) (*DuckDB, error) {
	config.readOnly = false
	return openDatabase(ctx, config, log)
}

// OpenDuckDBReadOnly opens a store that is there, and changes nothing in it: what writes returns an error. Several may
// have it open so. A store whose schema is not this program's is an error that says what to do.
func OpenDuckDBReadOnly(ctx context.Context, config DuckDBConfig, log *slog.Logger) (*DuckDB, error) {
	info, err := os.Stat(config.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("open %s: there is no store: check the path, or start sundew run, which makes one", config.Path)
	case err != nil:
		return nil, fmt.Errorf("open %s: %w", config.Path, err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("open %s: it is no file: a store is one file, such as store.duckdb in the data directory", config.Path)
	}
	config.readOnly = true
	return openDatabase(ctx, config, log)
}

func openDatabase(ctx context.Context, config DuckDBConfig, log *slog.Logger) (*DuckDB, error) {
	if config.QueryTimeout == 0 {
		config.QueryTimeout = DefaultDuckDBConfig().QueryTimeout
	}
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if err := config.makePath(); err != nil {
		return nil, err
	}
	unlock, err := lockDatabase(config.Path, config.readOnly)
	if err != nil {
		return nil, err
	}
	d := &DuckDB{config: config, log: log, metrics: newStoreMetrics(), unlock: unlock}
	if err := d.open(ctx); err != nil {
		return nil, errors.Join(err, unlock())
	}
	return d, nil
}

func (d *DuckDB) open(ctx context.Context) error {
	connector, err := duckdb.NewConnector(d.config.dsn(), nil)
	if err != nil {
		return fmt.Errorf("open %s: %w%s", d.config.name(), err, remedy(err))
	}
	d.db = sql.OpenDB(connector)
	err = d.prepare(ctx)
	if err == nil {
		err = d.metrics.register(d.config.Metrics)
	}
	if err != nil {
		return errors.Join(err, d.db.Close())
	}
	return nil
}

// prepare brings the schema up to date, or where nothing may be written finds that it is.
func (d *DuckDB) prepare(ctx context.Context) (err error) {
	if d.config.readOnly {
		return checkSchema(ctx, d.db, d.config.name())
	}
	if d.migratedFrom, err = migrate(ctx, d.db, d.config.name()); err != nil {
		return err
	}
	return addFeatureColumns(ctx, d.db)
}

// MigratedFrom is the version that the schema had when the store was opened, 0 for a new one.
func (d *DuckDB) MigratedFrom() int { return d.migratedFrom }

// remedy is what to do about an engine that does not start; the engine tells a lock from other troubles in words alone.
func remedy(err error) string {
	if strings.Contains(err.Error(), "lock") {
		return ": close the program that has it open, such as the duckdb shell"
	}
	return ""
}

// makePath makes the path absolute and, for who may write, its folder exist.
func (c *DuckDBConfig) makePath() error {
	if c.Path == "" {
		return nil
	}
	path, err := filepath.Abs(c.Path)
	if err != nil {
		return fmt.Errorf("open %s: %w", c.Path, err)
	}
	c.Path = path
	if c.readOnly {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	return nil
}

// checkpointThreshold is how much the write-ahead log may hold before the engine folds it into the file. Each time it
// compresses the last, unfinished group of rows anew: with the engine's own 16 MiB, Record took a quarter to two thirds
// more processor time in BenchmarkRecord. A log of this size is read back within seconds after a crash.
const checkpointThreshold = "128MiB"

// storageVersion is the oldest engine that can read a new file. Its ways to compress texts made the events of BenchmarkStore a
// sixth smaller than those that the engine chooses by default, for the sake of engines of 2024.
const storageVersion = "v1.4.0"

// dsn names the file and the settings. The engine never reaches for other files or for extensions over the network,
// whatever a query says.
func (c *DuckDBConfig) dsn() string {
	settings := url.Values{
		"checkpoint_threshold":          {checkpointThreshold},
		"storage_compatibility_version": {storageVersion},
		"enable_external_access":        {"false"},
		"autoinstall_known_extensions":  {"false"},
	}
	if c.readOnly {
		settings.Set("access_mode", "READ_ONLY")
	}
	if c.MemoryLimit != "" {
		settings.Set("memory_limit", c.MemoryLimit)
	}
	if c.Threads > 0 {
		settings.Set("threads", strconv.Itoa(c.Threads))
	}
	return c.Path + "?" + settings.Encode()
}

// name is what errors call the database.
func (c *DuckDBConfig) name() string {
	if c.Path == "" {
		return "database in memory"
	}
	return c.Path
}

// Close waits for the methods under way and gives up the file.
func (d *DuckDB) Close() error {
	d.life.Lock()
	defer d.life.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	d.metrics.unregister(d.config.Metrics)
	if err := errors.Join(d.db.Close(), d.unlock()); err != nil {
		return fmt.Errorf("close %s: %w", d.config.name(), err)
	}
	return nil
}

// enter keeps the store open until leave is called.
func (d *DuckDB) enter() (leave func(), err error) {
	d.life.RLock()
	if d.closed {
		d.life.RUnlock()
		return nil, ErrClosed
	}
	return d.life.RUnlock, nil
}

// ask runs one query under the time-out and reads each row with scan.
func ask[T any](ctx context.Context, d *DuckDB, what, query string, scan func(row) (T, error), args ...any) ([]T, error) {
	leave, err := d.enter()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	defer leave()
	limited, cancel := context.WithTimeout(ctx, d.config.QueryTimeout)
	defer cancel()

	answers, err := collect(limited, d.db, query, scan, args...)
	switch {
	case err == nil:
		return answers, nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%s: %w", what, ctx.Err())
	case limited.Err() != nil:
		d.metrics.errors.WithLabelValues("query").Inc()
		return nil, fmt.Errorf("%s: no answer within %s: ask for a shorter range, or raise query_timeout: %w", what, d.config.QueryTimeout, limited.Err())
	}
	d.metrics.errors.WithLabelValues("query").Inc()
	return nil, fmt.Errorf("%s: %w", what, err)
}

// row is what a scan function reads from: *sql.Rows at its current row.
type row interface{ Scan(dest ...any) error }

// asker is *sql.DB or *sql.Conn.
type asker interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func collect[T any](ctx context.Context, from asker, query string, scan func(row) (T, error), args ...any) ([]T, error) {
	rows, err := from.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // rows.Err has told what there is to tell
	var answers []T
	for rows.Next() {
		answer, err := scan(rows)
		if err != nil {
			return nil, err
		}
		answers = append(answers, answer)
	}
	return answers, rows.Err()
}
