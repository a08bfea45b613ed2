package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"

	"sundew/store/clickhousetest"
)

// startRecorder runs `sundew record`.
func startRecorder(t *testing.T, configuration string) *process {
	t.Helper()
	config := filepath.Join(t.TempDir(), "record.yaml")
	if err := os.WriteFile(config, []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{Cmd: exec.Command(self, "record", "--config", config)} //nolint:noctx // the test itself says when it ends
	p.Env = append(os.Environ(), beSundew+"=1")
	p.Stderr = &p.said
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.Process.Kill()
		_ = p.Wait()
		if t.Failed() {
			t.Logf("the recorder said:\n%s", p.text())
		}
	})
	return p
}

// copied counts what the store holds of stamped batches: rows, requests, and places in the log.
func copied(t *testing.T, url string) (rows, requests, places uint64) {
	t.Helper()
	options, err := clickhouse.ParseDSN(url)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := clickhouse.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	err = conn.QueryRow(t.Context(), `SELECT count(), uniqExact(gateway_sequence), uniqExact(log_partition, log_offset) FROM events`).
		Scan(&rows, &requests, &places)
	if err != nil {
		return 0, 0, 0 // the table is not there yet
	}
	return rows, requests, places
}

// TestRecordSurvivesKills has `sundew run` score and `sundew record` copy the log to a ClickHouse under load, and kills the
// recorder and the database. SUNDEW_KILLS says how often the recorder, and a fifth as often the database. Every line that
// was acknowledged is stored once, and posts are acknowledged while there is no database.
func TestRecordSurvivesKills(t *testing.T) {
	recorderKills, databaseKills := 1, 1
	if n, err := strconv.Atoi(os.Getenv("SUNDEW_KILLS")); err == nil {
		recorderKills, databaseKills = n, (n+4)/5
	}
	dir, data := t.TempDir(), t.TempDir()
	database := clickhousetest.Start(t, data, "127.0.0.1:0")
	url := database.URL
	history := fmt.Sprintf("store: {record: false, clickhouse: {dsn: %s/history}}\n", url)
	run := startSundew(t, dir, embedded(dir)+history)
	broker := regexp.MustCompile(`broker is up" address=(\S+)`).FindStringSubmatch(run.text())
	if broker == nil {
		t.Fatalf("no broker in %s", run.text())
	}
	config := fmt.Sprintf("data_dir: %s\nkafka: {brokers: [%s]}\n%s", filepath.Join(dir, "data"), broker[1], history)
	recorder := startRecorder(t, config)

	const lines = 200
	sent := 0
	post := func(batches int) {
		t.Helper()
		for range batches {
			if ok, answer := run.post(t.Context(), stampedBatch(sent+1, lines)); !ok {
				t.Fatalf("a batch was refused: %s", answer)
			}
			sent += lines
		}
	}
	grown := func() {
		t.Helper()
		before, _, _ := copied(t, url+"/history")
		eventually(t, "the recorder goes on", func() bool {
			post(1)
			now, _, _ := copied(t, url+"/history")
			return now > before
		})
	}
	grown()
	for kill := range recorderKills {
		recorder.end(t, syscall.SIGKILL)
		recorder = startRecorder(t, config)
		post(5)
		if kill*databaseKills/recorderKills != (kill+1)*databaseKills/recorderKills {
			database.Kill()
			post(20) // the broker keeps them
			database = clickhousetest.Start(t, data, strings.TrimPrefix(url, "http://"))
		}
		grown()
	}
	eventually(t, "the recorder has caught up", func() bool {
		rows, _, _ := copied(t, url+"/history")
		return rows >= uint64(sent)
	})
	recorder.end(t, syscall.SIGTERM)
	rows, requests, places := copied(t, url+"/history")
	t.Logf("%d kills of the recorder, %d of the database, %d lines acknowledged", recorderKills, databaseKills, sent)
	if rows != uint64(sent) || requests != rows || places != rows {
		t.Errorf("of %d acknowledged lines there are %d rows, %d requests at %d places in the log", sent, rows, requests, places)
	}
	run.end(t, syscall.SIGTERM)
	database.Kill()
}

func TestRecordRefuses(t *testing.T) {
	tests := []struct{ name, configuration, want string }{
		{"a store of another process", "kafka: {brokers: [127.0.0.1:1]}", "names no ClickHouse"},
		{"the broker of another process", "store: {clickhouse: {dsn: \"http://127.0.0.1:1/x\"}}", "names no broker"},
		{"a password in the address", "store: {clickhouse: {dsn: \"http://a:hunter2@127.0.0.1:1/x\"}}", "password_file"},
		{"two stores", "store: {path: a.duckdb, clickhouse: {dsn: \"http://127.0.0.1:1/x\"}}", "one or the other"},
		{"nobody who records", "store: {record: false}", "sundew record"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			config := filepath.Join(t.TempDir(), "sundew.yaml")
			if err := os.WriteFile(config, []byte(test.configuration), 0o600); err != nil {
				t.Fatal(err)
			}
			var said strings.Builder
			code := run(t.Context(), []string{"record", "--config", config}, terminal{strings.NewReader(""), &said, &said})
			if code != exitFailed || !strings.Contains(said.String(), test.want) || strings.Contains(said.String(), "hunter2") {
				t.Errorf("exit code %d, %q; want %q", code, said.String(), test.want)
			}
		})
	}
}
