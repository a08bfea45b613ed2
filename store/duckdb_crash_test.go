//go:build unix

package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sundew"
)

const (
	childPath  = "SUNDEW_TEST_STORE"      // the test binary writes to this store instead of testing
	childLimit = "SUNDEW_TEST_FILE_BYTES" // and its files may grow to that
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childPath); path != "" {
		if err := writeWithoutEnd(context.Background(), path, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		return
	}
	os.Exit(m.Run())
}

const (
	childBatch  = 500
	childDeaths = 4 // in one test, at most
)

// writeWithoutEnd records batches and tells the resume point after each, until a write fails.
func writeWithoutEnd(ctx context.Context, path string, out io.Writer) error {
	if err := limitFiles(); err != nil {
		return err
	}
	d, err := OpenDuckDB(ctx, DuckDBConfig{Path: path, Threads: 1}, quiet())
	if err != nil {
		return err
	}
	next, err := d.Resume(ctx, 0)
	if err != nil {
		return err
	}
	for n := 1; ; n++ {
		events := make([]sundew.Event, childBatch)
		for i := range events {
			events[i] = request(next+int64(i), time.Duration(next)*time.Millisecond, "192.0.2.1")
			events[i].UserAgent = strings.Repeat(strconv.Itoa(i*n), 40) // it shall not compress away
		}
		b := batchOf(events...)
		b.Position.Next += 7 // and some lines that could not be read
		score := sundew.Score{Time: noon, Entity: ip("192.0.2.1"), Points: 90, Event: &events[0]}
		made := decision(strconv.FormatInt(next, 10), 0, ip("192.0.2.1"), sundew.ActionBlock)
		if err := d.Record(ctx, b, []sundew.Score{score}, []sundew.Decision{made}); err != nil {
			again := d.Record(ctx, b, []sundew.Score{score}, []sundew.Decision{made})
			return errors.Join(err, again, d.Close())
		}
		asked := evaluation(&events[0], ip("192.0.2.1"), 1)
		if err := d.RecordEvaluations(ctx, []Evaluation{asked}); err != nil {
			again := d.RecordEvaluations(ctx, []Evaluation{asked})
			return errors.Join(err, again, d.Close())
		}
		next = b.Position.Next
		if _, err := fmt.Fprintln(out, next); err != nil {
			return err
		}
		if n%5 == 0 && os.Getenv(childLimit) == "" { // a full disk shall meet Record
			if _, err := d.db.ExecContext(ctx, `CHECKPOINT`); err != nil {
				return err
			}
		}
	}
}

// limitFiles makes the system refuse writes beyond a size, as a full disk does.
func limitFiles() error {
	bytes, err := strconv.ParseUint(os.Getenv(childLimit), 10, 64)
	if err != nil {
		return nil // no limit asked for
	}
	signal.Ignore(syscall.SIGXFSZ)
	return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: bytes, Max: bytes})
}

func startChild(t *testing.T, path string, env ...string) (cmd *exec.Cmd, lines *bufio.Scanner) {
	t.Helper()
	cmd = exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(append(os.Environ(), childPath+"="+path), env...)
	cmd.Stderr = os.Stderr
	if len(env) > 0 {
		cmd.Stderr = nil // its failure is wanted
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

// lastOf reads n resume points, or all of them for 0, and returns the last.
func lastOf(t *testing.T, lines *bufio.Scanner, n int) int64 {
	t.Helper()
	var last int64
	for read := 0; (n == 0 || read < n) && lines.Scan(); read++ {
		next, err := strconv.ParseInt(lines.Text(), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		last = next
	}
	return last
}

// checkWhole opens what a dead writer left: everything it had acknowledged, and whole batches only.
func checkWhole(t *testing.T, path string, acknowledged int64) {
	t.Helper()
	d := openDuckDB(t, path)
	defer closeStore(t, d)
	next := resume(t, d, 0)
	if next < acknowledged {
		t.Errorf("the store goes on at offset %d, but %d was acknowledged", next, acknowledged)
	}
	batches := next / (childBatch + 7)
	equal(t, "resume point of whole batches", next, batches*(childBatch+7))
	equal(t, "rows", counts(t, d), Counts{Events: batches * childBatch, Scores: batches, Decisions: batches})
	distinct, err := collect(t.Context(), d.db, `SELECT count(DISTINCT (log_partition, log_offset)) FROM events`, func(r row) (n int64, err error) { return n, r.Scan(&n) })
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "distinct offsets", distinct[0], batches*childBatch)
	counted, err := collect(t.Context(), d.db, `SELECT coalesce(sum(requests), 0)::BIGINT FROM minutes`, func(r row) (n int64, err error) { return n, r.Scan(&n) })
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "requests by minute", counted[0], batches*childBatch)
	type sums struct{ rows, distinct int64 }
	evaluations, err := collect(t.Context(), d.db, `SELECT count(*), count(DISTINCT log_offset) FROM evaluations`, func(r row) (s sums, err error) { return s, r.Scan(&s.rows, &s.distinct) })
	if err != nil {
		t.Fatal(err)
	}
	// One that was on its way when the child died is lost, as those in a Buffer are.
	if e := evaluations[0]; e.rows != e.distinct || e.rows > batches || e.rows < batches-childDeaths {
		t.Errorf("%d evaluations of %d events in %d batches", e.rows, e.distinct, batches)
	}
}

func TestKillLeavesWholeBatches(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sundew.duckdb")
	for round, lines := range []int{1, 4, 5, 7} {
		cmd, out := startChild(t, path)
		acknowledged := lastOf(t, out, lines)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		if acknowledged == 0 {
			t.Fatalf("round %d: the child wrote nothing", round)
		}
		checkWhole(t, path, acknowledged)
	}
}

func TestFullDiskLeavesWholeBatches(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sundew.duckdb")
	cmd, out := startChild(t, path, childLimit+"="+strconv.Itoa(3<<20))
	acknowledged := lastOf(t, out, 0)
	_ = cmd.Wait() // it ends when the first write is refused
	if acknowledged == 0 {
		t.Fatal("the child wrote nothing")
	}
	checkWhole(t, path, acknowledged)

	// The batch that was refused comes again once there is space.
	cmd, out = startChild(t, path)
	after := lastOf(t, out, 3)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if after <= acknowledged {
		t.Errorf("with space again the store stays at offset %d", acknowledged)
	}
	checkWhole(t, path, after)
}

func TestAnotherProcessIsKeptOut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sundew.duckdb")
	cmd, out := startChild(t, path)
	defer func() { _ = cmd.Wait() }()
	defer func() { _ = cmd.Process.Kill() }()
	lastOf(t, out, 1)
	_, err := OpenDuckDB(t.Context(), DuckDBConfig{Path: path}, quiet())
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "stop the other") {
		t.Errorf("got %v, want the file and the remedy", err)
	}
}
