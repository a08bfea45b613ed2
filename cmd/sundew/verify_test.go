package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"sundew"
)

// scriptIngested is the command "ingested CONFIG LINES..." of test scripts: it runs sundew until the store has what was posted.
// The lines of every file are stamped from 1 on as those of the gateway "shop 1" in its epoch 7.
func scriptIngested(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("want: ingested CONFIG LINES...")
	}
	text := strings.ReplaceAll(ts.ReadFile(args[0]), "data_dir: ", "data_dir: "+ts.MkAbs(".")+"/")
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	reader, writer := io.Pipe()
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"run", "--config", ts.MkAbs(args[0])}, terminal{strings.NewReader(""), writer, writer})
		_ = writer.Close()
	}()
	said := bufio.NewScanner(reader)
	p := &process{}
	for p.base == "" && said.Scan() {
		if _, url, found := strings.Cut(said.Text(), "console   "); found {
			p.base = strings.TrimSuffix(url, "/")
		}
	}
	go func() { _, _ = io.Copy(io.Discard, reader) }()
	rejected := 0
	for _, file := range args[1:] {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.base+"/ingest/v1/logs", strings.NewReader(ts.ReadFile(file)))
		ts.Check(err)
		for name, value := range map[string]string{"Sundew-Gateway": "shop 1", "Sundew-Epoch": "7", "Sundew-Sequence": "1"} {
			request.Header.Set(name, value)
		}
		response, err := http.DefaultClient.Do(request)
		ts.Check(err)
		var taken struct{ Rejected int }
		err = json.NewDecoder(response.Body).Decode(&taken)
		_ = response.Body.Close()
		if err != nil || response.StatusCode != http.StatusAccepted {
			ts.Fatalf("%s is not taken: %s, %v", file, response.Status, err)
		}
		rejected += taken.Rejected
	}
	tick := time.NewTicker(20 * time.Millisecond) // dead letters are the one thing that a stop does not wait for
	defer tick.Stop()
	for letters := 0; rejected > 0 && letters == 0; <-tick.C {
		response, err := http.Get(p.base + "/metrics") //nolint:noctx // the process ends with the script's context
		ts.Check(err)
		metrics, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		ts.Check(err)
		letters = bytes.Count(metrics, []byte(`sundew_store_rows_total{table="dead_letters"}`))
	}
	cancel()
	if code := <-done; code != exitDone {
		ts.Fatalf("sundew ended with %d", code)
	}
}

// verified runs sundew verify on the data that a process has left.
func verified(t *testing.T, dir, acknowledgements string) (code int, found verification, said string) {
	t.Helper()
	list := filepath.Join(dir, "acknowledged.txt")
	if err := os.WriteFile(list, []byte(acknowledgements), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, problems bytes.Buffer
	args := []string{"verify", "--config", filepath.Join(dir, "sundew.yaml"), "--acknowledged", list, "--json"}
	code = run(t.Context(), args, terminal{strings.NewReader(""), &out, &problems})
	if code != exitUsage && out.Len() > 0 {
		if err := json.Unmarshal(out.Bytes(), &found); err != nil {
			t.Fatalf("%v in %s", err, out.String())
		}
	}
	return code, found, problems.String()
}

// expectAgreement asks verify whether the log and the store that a process has left agree.
func expectAgreement(t *testing.T, dir string) {
	t.Helper()
	if code, found, said := verified(t, dir, ""); code != exitDone {
		t.Errorf("verify ends with %d: %s\n%+v", code, said, found.Total)
	}
}

// kills is how many processes a test kills, as SUNDEW_KILLS says.
func kills(t *testing.T) int {
	t.Helper()
	text := os.Getenv("SUNDEW_KILLS")
	if text == "" {
		return 3
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("SUNDEW_KILLS is %q: want a number of kills", text)
	}
	return n
}

// beBroker makes the test binary an embedded broker on that directory, at the port that its argument names.
const beBroker = "SUNDEW_TEST_BE_BROKER"

func serveBroker(dir, port string) {
	c := defaultBrokerConfig()
	var err error
	if c.Port, err = strconv.Atoi(port); err == nil {
		_, _, err = startBroker(context.Background(), c, dir, slog.New(slog.DiscardHandler))
	}
	fmt.Println(err)
	if err == nil {
		select {} // until somebody kills it
	}
	os.Exit(exitFailed)
}

// startBrokerProcess returns when the broker listens.
func startBrokerProcess(t *testing.T, dir, address string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	broker := exec.Command(self, port) //nolint:noctx // the test itself says when it ends
	broker.Env = append(os.Environ(), beBroker+"="+dir)
	out, err := broker.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := broker.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = broker.Process.Kill(); _ = broker.Wait() })
	if said, err := bufio.NewReader(out).ReadString('\n'); said != "<nil>\n" {
		t.Fatalf("the broker says %q, %v", said, err)
	}
	return broker
}

// linesPerBatch of the gateway in the tests below.
const linesPerBatch = 200

// TestKillsOfSundewLoseNothing kills sundew, with the broker inside, under load. A gateway with a stamp sends each batch
// until it is acknowledged, to the next process where it must. Every line is stored, and stored once.
func TestKillsOfSundewLoseNothing(t *testing.T) {
	rounds := kills(t)
	dir := t.TempDir()
	sequence, again := 1, 0
	var waiting string // the batch that the last process did not acknowledge
	for round := range rounds {
		p := startSundew(t, dir, embedded(dir))
		for batch := 0; ; batch++ {
			if waiting == "" {
				waiting = stampedBatch(sequence, linesPerBatch)
			} else {
				again++
			}
			if batch == 10+round%10 {
				go func() { _ = p.Process.Kill() }() // somewhere in the next request, or before it
			}
			if ok, _ := p.post(t.Context(), waiting); !ok {
				break
			}
			sequence += linesPerBatch
			waiting = ""
		}
		_ = p.Wait()
	}
	p := startSundew(t, dir, embedded(dir))
	if ok, answer := p.post(t.Context(), waiting); !ok {
		t.Fatalf("the last batch: %s", answer)
	}
	p.end(t, syscall.SIGTERM)
	expectAllStored(t, dir, sequence+linesPerBatch-1)
	t.Logf("%d kills, %d batches sent again", rounds, again)
	if again == 0 {
		t.Error("no batch was sent again: the test shows nothing")
	}
}

// TestKillsOfTheBrokerLoseNothing kills the embedded broker, in a process of its own, under a sundew that goes on.
func TestKillsOfTheBrokerLoseNothing(t *testing.T) {
	rounds := kills(t)
	dir := t.TempDir()
	address := freeAddress(t)
	broker := startBrokerProcess(t, dir, address)
	p := startSundew(t, dir, fmt.Sprintf("data_dir: %s/data\nlisten: 127.0.0.1:0\nkafka: {brokers: [%q]}\ningest: {ack_timeout: 500ms}\n", dir, address))
	sequence, refused := 1, 0
	for round := range rounds {
		last := sequence + (10+round%10)*linesPerBatch
		for before := refused; sequence < last || refused == before; {
			batch := stampedBatch(sequence, linesPerBatch)
			if sequence >= last { // the kill comes somewhere in this request, or before it
				go func() { _ = broker.Process.Kill() }()
			}
			if ok, _ := p.post(t.Context(), batch); ok {
				sequence += linesPerBatch
				continue
			}
			refused++
		}
		_ = broker.Wait()
		broker = startBrokerProcess(t, dir, address)
		batch := stampedBatch(sequence, linesPerBatch) // what was refused is sent until it is taken
		eventually(t, "the broker takes lines again", func() bool { ok, _ := p.post(t.Context(), batch); return ok })
		sequence += linesPerBatch
	}
	p.end(t, syscall.SIGTERM)
	expectAllStored(t, dir, sequence-1)
	t.Logf("%d kills, %d posts refused", rounds, refused)
}

// expectAllStored asks verify, and the store itself, whether the lines from 1 to acknowledged are there once each.
func expectAllStored(t *testing.T, dir string, acknowledged int) {
	t.Helper()
	code, found, said := verified(t, dir, fmt.Sprintf("gw-1 1 1-%d\n", acknowledged))
	t.Logf("%d lines acknowledged; the log has %d records: %d stored, %d repeats", acknowledged, found.Total.Records, found.Total.Stored, found.Total.Repeats)
	if code != exitDone {
		t.Errorf("verify ends with %d: %s", code, said)
	}
	if found.Acknowledged == nil || found.Acknowledged.Stored != uint64(acknowledged) || found.Total.Stored != int64(acknowledged) {
		t.Errorf("of %d acknowledged lines verify finds %+v; %+v", acknowledged, found.Acknowledged, found.Total)
	}
	if n := len(storedRequestIDs(t, filepath.Join(dir, "data", "store.duckdb"))); n != acknowledged {
		t.Errorf("%d different requests are stored, want %d", n, acknowledged)
	}
}

// stampedBatch is n lines of one gateway from a sequence on.
func stampedBatch(sequence, n int) string {
	var body strings.Builder
	for range n {
		fmt.Fprintf(&body, `{"timestamp":%q,"client.address":"192.0.2.%d","url.path":"/","http.response.status_code":200,"request.id":"r-%d","gateway.id":"gw-1","gateway.epoch":1,"gateway.sequence":%[3]d}`+"\n",
			time.Now().UTC().Format(time.RFC3339Nano), sequence%200, sequence)
		sequence++
	}
	return body.String()
}

// storedRequestIDs counts how often each request stands in the store.
func storedRequestIDs(t *testing.T, path string) map[string]int {
	t.Helper()
	db := openStore(t, path)
	ids := map[string]int{}
	for i := range 200 {
		timeline, err := db.Timeline(t.Context(), sundew.Entity{Kind: sundew.KindIP, Key: fmt.Sprintf("192.0.2.%d", i)},
			sundew.Range{From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Hour)}, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range timeline.Events {
			ids[e.RequestID]++
		}
	}
	return ids
}
