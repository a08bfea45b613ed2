package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"

	"sundew"
)

// ClickHouseConfig says which server keeps the store and what one question may cost it.
type ClickHouseConfig struct {
	DSN          string `yaml:"dsn"`           // clickhouse://user@host:9000/database or http(s)://user@host:8123/database
	PasswordFile string `yaml:"password_file"` // of the user; without it, the environment variable CLICKHOUSE_PASSWORD
	Cluster      string `yaml:"cluster"`       // name of the cluster as the server knows it; "" for a single server
	MemoryLimit  int64  `yaml:"memory_limit"`  // of one query on the server, bytes; sorting and grouping beyond half of it go to disk

	// As for DuckDB, from the settings that both have.
	MinPoints    float64       `yaml:"-"` // scores below are not kept, 0 to 100
	Retention    time.Duration `yaml:"-"` // rows whose time is longer ago are dropped by the server; 0 keeps all
	QueryTimeout time.Duration `yaml:"-"` // longest time for one question

	Metrics prometheus.Registerer `yaml:"-"` // nil counts without showing
}

// DefaultClickHouseConfig keeps a month. It names no server.
func DefaultClickHouseConfig() ClickHouseConfig {
	return ClickHouseConfig{
		MemoryLimit:  4 << 30,
		MinPoints:    20,
		Retention:    30 * 24 * time.Hour,
		QueryTimeout: 30 * time.Second,
	}
}

var clusterName = regexp.MustCompile(`^[A-Za-z0-9_.-]*$`)

// Validate names the first setting that cannot be used. It never quotes a DSN, which may hold a password.
func (c *ClickHouseConfig) Validate() error {
	options, err := clickhouse.ParseDSN(c.DSN)
	switch {
	case err != nil:
		return errors.New("dsn: it is no address of a ClickHouse: want clickhouse://user@host:9000/database, or http://user@host:8123/database")
	case options.Auth.Password != "":
		return errors.New("dsn: it holds a password, which would be shown with the configuration: write it to a file for password_file, or into the environment as CLICKHOUSE_PASSWORD")
	case !clusterName.MatchString(c.Cluster):
		return fmt.Errorf("cluster: %q holds more than letters, digits and _ . -", c.Cluster)
	case c.MemoryLimit < 0:
		return fmt.Errorf("memory_limit: %d is negative: want bytes, or 0 for the server's own limit", c.MemoryLimit)
	case c.MinPoints < 0 || c.MinPoints > 100:
		return fmt.Errorf("min_points: %g is not between 0 and 100", c.MinPoints)
	case c.Retention < 0:
		return fmt.Errorf("retention: %s is negative: want 0 to keep everything, or a duration such as 720h", c.Retention)
	case c.QueryTimeout <= 0:
		return fmt.Errorf("query_timeout: %s is not above 0: want a duration such as 30s", c.QueryTimeout)
	}
	return nil
}

// ClickHouse is a Store on a ClickHouse server or cluster, over its native protocol or HTTP.
//
// Record is no transaction there: after an error a part of it may be stored, and the same Record again adds the rest and
// counts nothing twice. Several processes may record at once, even the same partition by mistake: of two that begin at the
// same event, the server takes one.
//
// Times before 1970 and from 2106 on are kept as the nearest time that fits.
type ClickHouse struct {
	config  ClickHouseConfig
	name    string // what errors call the database: never the DSN
	log     *slog.Logger
	metrics *storeMetrics
	ddl     ddl
	conn    driver.Conn

	life   sync.RWMutex // read-held while a method runs, so that Close waits for it
	closed bool
}

var _ Store = (*ClickHouse)(nil)

// oldestServer is the first release whose projections and replacing tables are as the schema needs them.
const oldestServer = 24

// OpenClickHouse connects, makes the database where it is absent, and brings its schema up to date. Zero times and limits
// mean the defaults of the server, and of QueryTimeout the default here. A newer program's database is refused; a server
// that does not answer is an ErrUnreachable.
func OpenClickHouse(ctx context.Context, config ClickHouseConfig, log *slog.Logger) (*ClickHouse, error) {
	if config.QueryTimeout == 0 {
		config.QueryTimeout = DefaultClickHouseConfig().QueryTimeout
	}
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("store: clickhouse: %w", err)
	}
	options, err := config.options()
	if err != nil {
		return nil, fmt.Errorf("store: clickhouse: %w", err)
	}
	c := &ClickHouse{
		config: config, log: log, metrics: newStoreMetrics(), ddl: ddl{config.Cluster},
		name: fmt.Sprintf("database %s at %s", options.Auth.Database, strings.Join(options.Addr, ", ")),
	}
	ctx, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	if err := c.open(ctx, options); err != nil {
		return nil, err
	}
	return c, nil
}

// options are those of the driver. The password is not in them when the configuration is shown.
func (c *ClickHouseConfig) options() (*clickhouse.Options, error) {
	options, err := clickhouse.ParseDSN(c.DSN)
	if err != nil {
		return nil, err
	}
	if options.Auth.Database == "" {
		options.Auth.Database = "default"
	}
	switch password, err := c.password(); {
	case err != nil:
		return nil, err
	case password != "":
		options.Auth.Password = password
	}
	if options.Settings == nil {
		options.Settings = clickhouse.Settings{}
	}
	limits := clickhouse.Settings{"max_execution_time": int(max(1, c.QueryTimeout.Seconds()))}
	if c.MemoryLimit > 0 {
		limits["max_memory_usage"] = c.MemoryLimit
		limits["max_bytes_before_external_group_by"] = c.MemoryLimit / 2
		limits["max_bytes_before_external_sort"] = c.MemoryLimit / 2
	}
	if options.Protocol == clickhouse.HTTP {
		limits["cancel_http_readonly_queries_on_client_close"] = 1
	}
	if c.Cluster != "" {
		limits["distributed_foreground_insert"] = 1 // an insert that returns is on the shard's disk
		limits["select_sequential_consistency"] = 1
		limits["insert_quorum"] = "auto"
		limits["insert_quorum_parallel"] = 0
	}
	for name, value := range limits {
		if _, set := options.Settings[name]; !set { // what the DSN says of a setting holds
			options.Settings[name] = value
		}
	}
	return options, nil
}

func (c *ClickHouseConfig) password() (string, error) {
	if c.PasswordFile == "" {
		return os.Getenv("CLICKHOUSE_PASSWORD"), nil
	}
	text, err := os.ReadFile(c.PasswordFile)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("password_file: %s does not exist: write the password there, readable by this user alone", c.PasswordFile)
	}
	return strings.TrimSpace(string(text)), err
}

func (c *ClickHouse) open(ctx context.Context, options *clickhouse.Options) error {
	err := c.connect(ctx, options)
	if known, ok := errors.AsType[*clickhouse.Exception](err); ok && known.Code == unknownDatabase {
		err = c.createDatabase(ctx, options)
	}
	if err != nil {
		return fmt.Errorf("open %s: %w", c.name, explained(err))
	}
	err = c.checkVersion()
	if err == nil {
		err = c.migrate(ctx)
	}
	if err == nil {
		err = c.keep(ctx)
	}
	if err == nil {
		err = c.metrics.register(c.config.Metrics)
	}
	if err != nil {
		return errors.Join(explained(err), c.conn.Close())
	}
	return nil
}

// ErrUnreachable is part of the error of a store whose server does not answer: it may later.
var ErrUnreachable = errors.New("the server does not answer")

// explained says of an error of the network that it is one. The address with all settings, which the HTTP client puts into
// its errors, is left out.
func explained(err error) error {
	if request, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("%w: %w", ErrUnreachable, request.Err)
	}
	_, network := errors.AsType[net.Error](err)
	if network || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	return err
}

// unknownDatabase is the server's code for it.
const unknownDatabase = 81

func (c *ClickHouse) connect(ctx context.Context, options *clickhouse.Options) error {
	conn, err := clickhouse.Open(options)
	if err != nil {
		return err
	}
	if err := conn.Ping(ctx); err != nil {
		return errors.Join(err, conn.Close())
	}
	c.conn = conn
	return nil
}

// createDatabase makes the database from beside it, then connects to it.
func (c *ClickHouse) createDatabase(ctx context.Context, options *clickhouse.Options) error {
	beside := *options
	beside.Auth.Database = "default"
	if err := c.connect(ctx, &beside); err != nil {
		return err
	}
	err := c.conn.Exec(ctx, "CREATE DATABASE IF NOT EXISTS "+quotedName(options.Auth.Database)+c.ddl.onCluster())
	if err := errors.Join(err, c.conn.Close()); err != nil {
		return err
	}
	return c.connect(ctx, options)
}

// quotedName is a name as an identifier in SQL.
func quotedName(s string) string {
	return "`" + strings.NewReplacer("\\", "\\\\", "`", "\\`").Replace(s) + "`"
}

func (c *ClickHouse) checkVersion() error {
	version, err := c.conn.ServerVersion()
	if err != nil {
		return fmt.Errorf("open %s: %w", c.name, err)
	}
	if version.Version.Major < oldestServer {
		return fmt.Errorf("open %s: the server is ClickHouse %s: sundew needs %d or newer", c.name, version.Version, oldestServer)
	}
	return nil
}

// Close waits for the methods under way and ends the connections.
func (c *ClickHouse) Close() error {
	c.life.Lock()
	defer c.life.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	c.metrics.unregister(c.config.Metrics)
	if err := c.conn.Close(); err != nil {
		return fmt.Errorf("close %s: %w", c.name, err)
	}
	return nil
}

// Run is there for the sake of what other engines have to do beside their work; it returns nil when ctx ends. Rows beyond
// the retention are the server's to drop.
func (c *ClickHouse) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// enter keeps the store open until leave is called.
func (c *ClickHouse) enter() (leave func(), err error) {
	c.life.RLock()
	if c.closed {
		c.life.RUnlock()
		return nil, ErrClosed
	}
	return c.life.RUnlock, nil
}

// inquire runs one query under the time-out and reads each row with scan.
func inquire[T any](ctx context.Context, c *ClickHouse, what, query string, scan func(row) (T, error), args ...any) ([]T, error) {
	leave, err := c.enter()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	defer leave()
	limited, cancel := context.WithTimeout(ctx, c.config.QueryTimeout)
	defer cancel()

	answers, err := gather(limited, c, query, scan, args...)
	switch {
	case err == nil:
		return answers, nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%s: %w", what, ctx.Err())
	case limited.Err() != nil || isTimeout(err):
		c.metrics.errors.WithLabelValues("query").Inc()
		return nil, fmt.Errorf("%s: no answer within %s: ask for a shorter range, or raise query_timeout: %w", what, c.config.QueryTimeout, context.DeadlineExceeded)
	}
	c.metrics.errors.WithLabelValues("query").Inc()
	return nil, fmt.Errorf("%s: %w", what, explained(err))
}

// isTimeout recognises the server's own end of a query, at max_execution_time.
func isTimeout(err error) bool {
	const timeoutExceeded = 159
	known, ok := errors.AsType[*clickhouse.Exception](err)
	return ok && known.Code == timeoutExceeded
}

func gather[T any](ctx context.Context, c *ClickHouse, query string, scan func(row) (T, error), args ...any) ([]T, error) {
	rows, err := c.conn.Query(ctx, query, args...)
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

var (
	earliest = time.Unix(0, 0).UTC()
	latest   = time.Date(2106, 1, 1, 0, 0, 0, 0, time.UTC).Add(-time.Microsecond)
)

// micros is a time as the tables keep it: microseconds since 1970, within what their types hold.
func micros(t time.Time) int64 {
	switch {
	case t.Before(earliest):
		return earliest.UnixMicro()
	case t.After(latest):
		return latest.UnixMicro()
	}
	return t.UnixMicro()
}

// inRange holds for rows whose time is in the range that rangeArgs names.
const inRange = `time >= fromUnixTimestamp64Micro({from:Int64}, 'UTC') AND time < fromUnixTimestamp64Micro({to:Int64}, 'UTC')`

func rangeArgs(r sundew.Range, more ...any) []any {
	return append([]any{clickhouse.Named("from", micros(r.From)), clickhouse.Named("to", micros(r.To))}, more...)
}

func limitArg(limit int) any { return clickhouse.Named("limit", bounded(limit)) }
