package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"sundew"
	"sundew/store/clickhousetest"
)

// sharedClickHouse is the server of the tests that do not kill it. It ends with the test binary.
var sharedClickHouse struct {
	sync.Mutex
	server *clickhousetest.Server
}

var clickHouseDatabases atomic.Int64

// clickHouseDSN names a database that no other test uses, at CLICKHOUSE_DSN or at the engine started here.
func clickHouseDSN(t testing.TB) string {
	t.Helper()
	base := os.Getenv("CLICKHOUSE_DSN")
	if base == "" {
		sharedClickHouse.Lock()
		defer sharedClickHouse.Unlock()
		if sharedClickHouse.server == nil {
			sharedClickHouse.server = clickhousetest.Start(t, "", "127.0.0.1:0")
		}
		base = sharedClickHouse.server.URL
	}
	dsn, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	if password, set := dsn.User.Password(); set {
		t.Setenv("CLICKHOUSE_PASSWORD", password)
		dsn.User = url.User(dsn.User.Username())
	}
	dsn.Path = fmt.Sprintf("/sundew_test_%d_%d", os.Getpid(), clickHouseDatabases.Add(1))
	return dsn.String()
}

// openClickHouse opens a database and, once the test is over, drops it.
func openClickHouse(t testing.TB, change ...func(*ClickHouseConfig)) *ClickHouse {
	t.Helper()
	config := DefaultClickHouseConfig()
	config.DSN, config.Retention = clickHouseDSN(t), 0
	for _, c := range change {
		c(&config)
	}
	c, err := OpenClickHouse(t.Context(), config, quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		dropDatabase(t, config)
		_ = c.Close() // for tests that stop before their own
	})
	return c
}

func dropDatabase(t testing.TB, config ClickHouseConfig) {
	t.Helper()
	ctx := context.Background() // that of the test has ended
	options, err := config.options()
	if err != nil {
		t.Fatal(err)
	}
	c := &ClickHouse{}
	if err := c.connect(ctx, options); err != nil {
		t.Fatal(err)
	}
	err = c.conn.Exec(ctx, "DROP DATABASE IF EXISTS "+quotedName(options.Auth.Database))
	if err := errors.Join(err, c.conn.Close()); err != nil {
		t.Error(err)
	}
}

func TestClickHouse(t *testing.T) {
	testStore(t, func(t *testing.T) Store { return openClickHouse(t) })
}

func TestClickHouseRefuses(t *testing.T) {
	c := openClickHouse(t)
	reopen := func(config ClickHouseConfig) error {
		again, err := OpenClickHouse(t.Context(), config, quiet())
		if err == nil {
			closeStore(t, again)
		}
		return err
	}
	if err := reopen(c.config); err != nil {
		t.Fatalf("the same database again: %v", err)
	}
	const secret = "hunter2"
	tests := []struct {
		name   string
		change func(*ClickHouseConfig)
		taken  string // a step that the database says it has taken
		want   []string
	}{
		{"no address", func(c *ClickHouseConfig) { c.DSN = "://:" + secret }, "", []string{"dsn", "want clickhouse://"}},
		{"a password in the address", func(c *ClickHouseConfig) { c.DSN = "http://u:" + secret + "@127.0.0.1:1/x" }, "", []string{"dsn", "password_file", "CLICKHOUSE_PASSWORD"}},
		{"nobody there", func(c *ClickHouseConfig) { c.DSN = "http://u@127.0.0.1:1/x" }, "", []string{"database x at 127.0.0.1:1: the server does not answer: dial tcp", "refused"}},
		{"a password file that is missing", func(c *ClickHouseConfig) { c.PasswordFile = "/none" }, "", []string{"password_file", "/none", "write the password there"}},
		{"a cluster that is SQL", func(c *ClickHouseConfig) { c.Cluster = "a' b" }, "", []string{"cluster"}},
		{"points beyond the scale", func(c *ClickHouseConfig) { c.MinPoints = 101 }, "", []string{"min_points"}},
		{"a schema of another program", nil, "SELECT 1, 'other'", []string{"version 1 is not the one", "choose another database"}},
		{"a schema of a newer program", nil, "SELECT number + 1, 'x' FROM numbers(9)", []string{"version 9", "newer sundew"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			config := c.config
			if test.change != nil {
				test.change(&config)
			}
			if test.taken != "" {
				if err := c.conn.Exec(t.Context(), "INSERT INTO schema_steps "+test.taken); err != nil {
					t.Fatal(err)
				}
			}
			err := reopen(config)
			if err == nil {
				t.Fatal("it was opened")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q: %v", want, err)
				}
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error tells the password: %v", err)
			}
		})
	}
}

// TestClickHouseClusterSchema has the engine read the statements for a cluster, which it cannot run alone.
func TestClickHouseClusterSchema(t *testing.T) {
	c := openClickHouse(t)
	step, err := clickHouseSchema.ReadFile("schema/clickhouse/0001_tables.sql")
	if err != nil {
		t.Fatal(err)
	}
	statements, err := ddl{"prod-1"}.statements(string(step))
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range statements {
		if err := c.conn.Exec(t.Context(), "EXPLAIN AST "+statement); err != nil {
			t.Errorf("%v\n%s", err, statement)
		}
		if !strings.Contains(statement, "ON CLUSTER 'prod-1'") {
			t.Errorf("not on the cluster: %s", statement)
		}
	}
	all := strings.Join(statements, "\n")
	equal(t, "replicated tables", strings.Count(all, "ENGINE = Replicated"), 5)
	equal(t, "distributed tables", strings.Count(all, "ENGINE = Distributed('prod-1', currentDatabase(), "), 5)
}

func TestClickHouseRetention(t *testing.T) {
	c := openClickHouse(t)
	for _, retention := range []time.Duration{0, time.Hour, time.Hour, 2 * time.Hour, 0} {
		config := c.config
		config.Retention = retention
		again, err := OpenClickHouse(t.Context(), config, quiet())
		if err != nil {
			t.Fatal(err)
		}
		ttl, err := gather(t.Context(), again, `SELECT countSubstrings(engine_full, concat('toIntervalSecond(', toString({seconds:Int64}), ')'))
			FROM system.tables WHERE database = currentDatabase() AND name IN ('events', 'scores', 'decisions', 'dead_letters')`,
			func(r row) (n uint64, err error) { return n, r.Scan(&n) }, clickhouse.Named("seconds", int64(retention.Seconds())))
		if err != nil {
			t.Fatal(err)
		}
		want := uint64(1)
		if retention == 0 {
			want = 0
		}
		equal(t, "tables that drop rows after "+retention.String(), ttl, []uint64{want, want, want, want})
		closeStore(t, again)
	}
}

func TestClickHouseQueriesAreLimited(t *testing.T) {
	c := openClickHouse(t, func(c *ClickHouseConfig) { c.QueryTimeout, c.MemoryLimit = time.Second, 64<<20 })
	number := func(r row) (n uint64, err error) { return n, r.Scan(&n) }
	_, err := inquire(t.Context(), c, "endless", `SELECT sum(sleepEachRow(0.05)) + 0 FROM numbers(1000) SETTINGS max_block_size = 1`, number)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "query_timeout") {
		t.Errorf("got %v, want the time-out with its remedy", err)
	}
	_, err = inquire(t.Context(), c, "huge", `SELECT length(groupArray(number)) FROM numbers(100000000)`, number)
	const memoryLimitExceeded = 241
	if known, ok := errors.AsType[*clickhouse.Exception](err); !ok || known.Code != memoryLimitExceeded {
		t.Errorf("got %v, want the server's memory limit", err)
	}
	equal(t, "counts of a later call", counts(t, c), Counts{})
}

// TestClickHouseOverviewReadsCounts asks the server whether it answered from the counts by minute, and compares them with
// steps that the counts cannot serve.
func TestClickHouseOverviewReadsCounts(t *testing.T) {
	c := openClickHouse(t)
	events := make([]sundew.Event, 1000)
	for i := range events {
		events[i] = request(int64(i), time.Duration(i)*time.Second, "192.0.2.1")
		events[i].Status = 200 + i%400
	}
	record(t, c, batchOf(events...), nil, nil)
	forced := clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{"force_optimize_projection": 1}))
	r := span(0, 10*time.Minute)
	fromCounts, err := c.Overview(forced, r, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	fromRows, err := c.Overview(t.Context(), r, 30*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range fromCounts {
		a, b := fromRows[2*i], fromRows[2*i+1]
		want := sundew.OverviewPoint{
			Time: a.Time, Requests: a.Requests + b.Requests,
			ClientErrors: a.ClientErrors + b.ClientErrors, ServerErrors: a.ServerErrors + b.ServerErrors,
		}
		equal(t, "minute", p, want)
	}
}

// TestClickHouseRecordersOfOnePartition has recorders that do not know of each other copy the same log in batches of their
// own sizes, as after a partition has moved and the one before is still busy.
func TestClickHouseRecordersOfOnePartition(t *testing.T) {
	const length = 3000
	c := openClickHouse(t)
	var log []sundew.Event
	for i := range int64(length) {
		log = append(log, request(i, time.Duration(i)*time.Second, "192.0.2.1"))
	}
	var recorders sync.WaitGroup
	for _, size := range []int{97, 101, 250} {
		recorders.Go(func() {
			other, err := OpenClickHouse(t.Context(), c.config, quiet())
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = other.Close() }()
			for batch := range slices.Chunk(log, size) {
				for err = other.Record(t.Context(), batchOf(batch...), nil, nil); err != nil && t.Context().Err() == nil; {
					err = other.Record(t.Context(), batchOf(batch...), nil, nil)
				}
			}
		})
	}
	recorders.Wait()
	checkOnce(t, c, length)
}

// checkOnce finds out whether the events of partition 0 are those with offsets below next, each once.
func checkOnce(t *testing.T, c *ClickHouse, next int64) {
	t.Helper()
	found, err := gather(t.Context(), c, `SELECT [toInt64(count()), toInt64(uniqExact(log_offset)), min(log_offset), max(log_offset) + 1] FROM events WHERE log_partition = 0`,
		func(r row) (n []int64, err error) { return n, r.Scan(&n) })
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "rows, distinct offsets, first and next offset", found[0], []int64{next, next, 0, next})
	equal(t, "resume", resume(t, c, 0), next)
}

// TestClickHouseKilled kills the server between and during inserts. What was acknowledged is there once, and a batch whose
// outcome nobody knows is recorded again until it is.
func TestClickHouseKilled(t *testing.T) {
	if os.Getenv("CLICKHOUSE_DSN") != "" {
		t.Skip("the server at CLICKHOUSE_DSN is not ours to kill")
	}
	kills := 3
	if n, err := strconv.Atoi(os.Getenv("SUNDEW_TEST_KILLS")); err == nil {
		kills = n
	}
	dir := t.TempDir()
	server := clickhousetest.Start(t, dir, "127.0.0.1:0")
	address := strings.TrimPrefix(server.URL, "http://")
	config := DefaultClickHouseConfig()
	config.DSN, config.Retention = server.URL+"/killed", 0
	c, err := OpenClickHouse(t.Context(), config, quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()

	random := rand.New(rand.NewPCG(3, 5))
	acknowledged := make(chan int64)
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		defer close(acknowledged)
		for next := int64(0); ctx.Err() == nil; {
			events := make([]sundew.Event, 500)
			for i := range events {
				events[i] = request(next+int64(i), time.Duration(next+int64(i))*time.Second, "192.0.2.1")
			}
			if err := c.Record(context.WithoutCancel(ctx), batchOf(events...), nil, nil); err != nil {
				runtime.Gosched() // nobody is there: once more
				continue
			}
			next += int64(len(events))
			acknowledged <- next
		}
	}()
	for range kills {
		for range 1 + random.IntN(5) {
			<-acknowledged
		}
		time.Sleep(time.Duration(random.IntN(10)) * time.Millisecond) // the moment of the kill is what varies
		server.Kill()
		server = clickhousetest.Start(t, dir, address)
	}
	last := <-acknowledged
	stop()
	for next := range acknowledged {
		last = next
	}
	checkOnce(t, c, last)
	server.Kill()
}
