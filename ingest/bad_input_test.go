package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"sundew"
)

// hostile is what stands between two good lines.
type hostile struct {
	name    string
	text    string
	parsed  int      // lines of it that become events
	reasons []string // of those that do not, in their order
	last    bool     // nothing follows: the stream ends in the middle
	timed   bool     // what is wrong is the time, which only a source with a clock can tell
	see     func(t *testing.T, e *sundew.Event)
}

func hostiles() []hostile {
	json := func(members string) string {
		return `{"timestamp":"2026-11-24T12:00:00Z","client.address":"192.0.2.7",` + members + `}`
	}
	dated := func(text string) string { return `{"timestamp":` + text + `,"client.address":"192.0.2.7"}` }
	const badTime, badJSON, unknown = "timestamp cannot be read", "JSON cannot be read", "format not recognised"
	deep := func(open, end string, n int) string { return strings.Repeat(open, n) + "1" + strings.Repeat(end, n) }
	return []hostile{
		{name: "a line of 1 MiB", text: strings.Repeat("x", 1<<20), reasons: []string{reasonTooLong}},
		{name: "JSON of 5 MiB", text: json(`"x":"` + strings.Repeat("x", 5<<20) + `"`), reasons: []string{reasonTooLong}},
		{name: "a line of the most bytes that are read", text: json(`"x":"` + strings.Repeat("x", sundew.MaxLine-len(json(`"x":""`))) + `"`), parsed: 1},
		{name: "NUL bytes", text: "\x00\x00\x00 lost block \x00!", reasons: []string{unknown}},
		{name: "NUL bytes in values", text: json(`"url.path":"/a` + "\x00" + `b\u0000c"`), parsed: 1, see: func(t *testing.T, e *sundew.Event) {
			if e.Path != "/a\x00b\x00c" {
				t.Errorf("path %q", e.Path)
			}
		}},
		{name: "invalid UTF-8", text: "\xff\xfe\xc3 no line", reasons: []string{unknown}},
		{name: "invalid UTF-8 in values", text: json("\"url.path\":\"/\xff\xc3\",\"\xff\":\"\xed\xa0\x80\""), parsed: 1, see: func(t *testing.T, e *sundew.Event) {
			if e.Path != "/\ufffd\ufffd" {
				t.Errorf("path %q", e.Path)
			}
		}},
		{name: "truncated JSON", text: json(`"url.path":"/a"`)[:60], reasons: []string{badJSON}},
		{name: "JSON cut in an escape", text: `{"timestamp":"2026-11-24T12:00:00Z","x":"\u00`, reasons: []string{badJSON}},
		{name: "text behind JSON", text: jsonLine + jsonLine, reasons: []string{"text behind the JSON object"}},
		{name: "duplicate keys", text: json(`"url.path":"/first","url.path":"/last","x":"1","x":"2"`), parsed: 1, see: func(t *testing.T, e *sundew.Event) {
			if e.Path != "/last" || len(e.Attributes) != 1 || e.Attributes[0].Value != "2" {
				t.Errorf("path %q, attributes %q", e.Path, e.Attributes)
			}
		}},
		{name: "deep arrays", text: json(`"x":` + deep("[", "]", 20_000)), parsed: 1},
		{name: "deep objects", text: json(`"x":` + deep(`{"a":`, "}", 8_000)), parsed: 1},
		{name: "deep and never closed", text: json(`"x":`)[:60] + strings.Repeat(`{"a":[`, 9_000), reasons: []string{badJSON}},
		{name: "more keys than are kept", text: json(manyKeys(3000)), parsed: 1},
		{name: "numbers out of range", text: json(`"http.response.status_code":99999999999999999999,"http.response.body.size":1e400,"http.server.request.duration":1e308,"client.as.number":4294967296,"captcha.score":1e999`), parsed: 1, see: func(t *testing.T, e *sundew.Event) {
			if e.Status != 0 || e.ResponseBytes != -1 || e.Duration != -1 || e.ASN != 0 || e.CaptchaScore != -1 || len(e.Attributes) != 5 {
				t.Errorf("read as %s", e.AppendJSON(nil))
			}
		}},
		{name: "negative sizes", text: json(`"http.request.body.size":-1,"http.response.body.size":-9223372036854775808,"http.server.request.duration":-0.5`), parsed: 1, see: func(t *testing.T, e *sundew.Event) {
			if e.RequestBytes != -1 || e.ResponseBytes != -1 || e.Duration != -1 || len(e.Attributes) != 3 {
				t.Errorf("read as %s", e.AppendJSON(nil))
			}
		}},
		{name: "a negative size of nginx", text: strings.Replace(nginxLine, `200 1`, `200 -17`, 1), parsed: 1, see: func(t *testing.T, e *sundew.Event) {
			if e.ResponseBytes != -1 || e.Duration != -1 || e.RequestBytes != -1 {
				t.Errorf("read as %s", e.AppendJSON(nil))
			}
		}},
		{name: "a status of four digits", text: strings.Replace(nginxLine, `200 1`, `2000 1`, 1), reasons: []string{"status is not a number"}},
		{name: "the year 0", text: dated(`"0000-01-01T00:00:00Z"`) + "\n" + strings.Replace(nginxLine, "2026", "0000", 1), reasons: []string{badTime, badTime}},
		{name: "the year 9999", text: dated(`"9999-12-31T23:59:59Z"`) + "\n" + strings.Replace(nginxLine, "2026", "9999", 1), reasons: []string{badTime, badTime}},
		{name: "times that are no times", text: dated("1e300") + "\n" + dated("-1") + "\n" + dated("9e18") + "\n" + dated(`"2026-02-30T00:00:00Z"`), reasons: []string{badTime, badTime, badTime, badTime}},
		{name: "a time in the future", text: dated(`"2190-01-01T00:00:00Z"`), timed: true, reasons: []string{reasonFuture}},
		{name: "CRLF", text: jsonLine + "\r\n" + nginxLine + "\r\n\r", parsed: 2},
		{name: "a half-written last line", text: jsonLine + "\n" + jsonLine[:40], parsed: 1, reasons: []string{badJSON}, last: true},
		{name: "a last line without its end", text: nginxLine, parsed: 1, last: true},
	}
}

func manyKeys(n int) string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf(`"key%d":%d`, i, i)
	}
	return strings.Join(keys, ",")
}

// outcome is what a source made of a stream, and how it counted that.
type outcome struct {
	events           []sundew.Event
	letters          []sundew.DeadLetter
	parsed, rejected int
}

// ways are the sources. Each takes a stream to the topics and back, or reads it itself.
var ways = map[string]func(t *testing.T, stream []byte, h hostile) outcome{
	"files": func(t *testing.T, stream []byte, _ hostile) outcome {
		files, err := OpenFiles([]string{write(t, "a.log", stream)}, FileConfig{})
		if err != nil {
			t.Fatal(err)
		}
		all, err := drain(t.Context(), files)
		if !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		return outcome{all.Events, all.Rejected, int(files.Stats().Parsed), sum(files.Stats().Rejected)}
	},
	"http": func(t *testing.T, stream []byte, h hostile) outcome {
		url, kafka, _ := listening(t, func(*ListenerConfig) {})
		status, answer, _ := send(t, url, stream, nil)
		if status != http.StatusAccepted {
			t.Fatalf("%d %v", status, answer)
		}
		o := outcome{parsed: int(answer["accepted"].(float64)), rejected: int(answer["rejected"].(float64))}
		return o.read(t, kafka, h)
	},
	"syslog": func(t *testing.T, stream []byte, h hostile) outcome {
		kafka, _ := embedded(t)
		s, stop := syslogging(t, kafka, nil, func(c *SyslogConfig) { c.Listen = "tcp://127.0.0.1:0" })
		conn := dial(t, "tcp", hostPort(s), nil)
		if _, err := conn.Write(stream); err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
		until(t, "the connection is done with", func() bool { return testutil.CollectAndCount(s.metrics.closed) == 1 })
		stop()
		o := outcome{parsed: counted(s, "parsed"), rejected: counted(s, "rejected")}
		return o.read(t, kafka, h)
	},
	"topic": func(t *testing.T, stream []byte, _ hostile) outcome {
		kafka, _ := embedded(t)
		if err := EnsureTopics(t.Context(), kafka, 1); err != nil {
			t.Fatal(err)
		}
		var records []Record
		for line := range bytes.SplitAfterSeq(stream, []byte("\n")) {
			records = append(records, Record{Value: line})
		}
		if err := running(t, kafka, ProducerOptions{}).Produce(within10s(t), TopicRequests, 0, records); err != nil {
			t.Fatal(err)
		}
		reg := prometheus.NewRegistry()
		metrics := NewMetrics(reg)
		source := open(t, kafka, TopicRequests, 0, LogStart, TopicOptions{Metrics: metrics, MaxAhead: time.Hour})
		var o outcome
		for source.position.Load() < int64(len(records)) {
			b, err := source.Next(within10s(t))
			if err != nil {
				t.Fatal(err)
			}
			o.events, o.letters = append(o.events, b.Events...), append(o.letters, b.Rejected...)
		}
		o.parsed, o.rejected = int(testutil.ToFloat64(metrics.result.WithLabelValues("parsed"))), int(testutil.ToFloat64(metrics.result.WithLabelValues("rejected")))
		return o
	},
}

func sum(counts map[string]int64) (n int) {
	for _, c := range counts {
		n += int(c)
	}
	return n
}

// read takes from the topics what the counts say is there, and then one event that is sent behind it.
func (o outcome) read(t *testing.T, kafka KafkaConfig, h hostile) outcome {
	t.Helper()
	if o.parsed > 0 {
		o.events, _ = take(within10s(t), t, open(t, kafka, TopicRequests, 0, LogStart, TopicOptions{}), o.parsed)
	}
	if len(h.reasons) > 0 {
		o.letters = deadLetters(t, kafka, len(h.reasons))
	}
	return o
}

// TestBadInput puts what is hostile between two good lines and sends that through every source: the good lines become
// events, what cannot be read is counted and kept as a dead letter with its reason, and nothing is larger than its bound.
func TestBadInput(t *testing.T) {
	for _, h := range hostiles() {
		stream := nginxLine + "\n" + h.text
		good := 1
		if !h.last {
			stream, good = stream+"\n"+nginxLine+"\n", 2
		}
		for source, send := range ways {
			if source == "topic" && len(h.text) > requestBytes {
				continue // the broker takes no such record
			}
			if source == "files" && h.timed {
				continue // a replay has no clock
			}
			t.Run(h.name+"/"+source, func(t *testing.T) {
				got := send(t, []byte(stream), h)
				var reasons []string
				for i := range got.letters {
					l := &got.letters[i]
					reasons = append(reasons, l.Reason)
					if len(l.Line) > sundew.MaxLine || l.Line == "" || !utf8.ValidString(l.Line) || len(l.Detail) > sundew.MaxText || !utf8.ValidString(l.Detail) || l.Source == "" {
						t.Errorf("dead letter of %d bytes, detail %q, source %q", len(l.Line), l.Detail, l.Source)
					}
				}
				if !slices.Equal(reasons, h.reasons) || got.rejected != len(h.reasons) {
					t.Errorf("dead letters %q, %d counted; want %q", reasons, got.rejected, h.reasons)
				}
				if len(got.events) != good+h.parsed || got.parsed != good+h.parsed {
					t.Fatalf("%d events, %d counted; want %d", len(got.events), got.parsed, good+h.parsed)
				}
				for i := range got.events {
					e := &got.events[i]
					check(t, newCanonicalJSON(), e.AppendJSON(nil))
					if h.see != nil && i == 1 {
						h.see(t, e)
					}
				}
			})
		}
	}
}

// TestBombs sends bodies and files that grow without end when they are decompressed.
func TestBombs(t *testing.T) {
	const size = 64 << 20
	bomb := gzipped(t, nginxLine+"\n"+strings.Repeat("\x00", size)+"\n"+nginxLine+"\n")
	t.Run("http", func(t *testing.T) {
		url, _, _ := listening(t, func(*ListenerConfig) {})
		headers := map[string]string{"Content-Encoding": "gzip"}
		if status, answer, _ := send(t, url, bomb, headers); status != http.StatusRequestEntityTooLarge {
			t.Errorf("%d %v, want 413", status, answer)
		}
		if status, answer, _ := send(t, url, gzipped(t, nginxLine), headers); status != http.StatusAccepted || answer["accepted"] != 1.0 {
			t.Errorf("the next post: %d %v", status, answer)
		}
	})
	t.Run("files", func(t *testing.T) { // whoever names a file wants all of it; only the line is bounded
		files, err := OpenFiles([]string{write(t, "a.log.gz", bomb), write(t, "b.log", []byte(nginxLine))}, FileConfig{})
		if err != nil {
			t.Fatal(err)
		}
		all, err := drain(t.Context(), files)
		if !errors.Is(err, io.EOF) || len(all.Events) != 3 || len(all.Rejected) != 1 {
			t.Fatalf("%d events, %d dead letters, %v", len(all.Events), len(all.Rejected), err)
		}
		if l := all.Rejected[0]; l.Reason != reasonTooLong || len(l.Line) != sundew.MaxLine || !strings.HasPrefix(l.Detail, fmt.Sprint(size)) {
			t.Errorf("reason %q, %d bytes kept, %s", l.Reason, len(l.Line), l.Detail)
		}
	})
}

// TestFilesThatAreNone asks for what is no file, which is said before anything is read.
func TestFilesThatAreNone(t *testing.T) {
	good := write(t, "a.log", []byte(nginxLine))
	dir := t.TempDir()
	if _, err := OpenFiles([]string{good, dir}, FileConfig{}); err == nil || !strings.Contains(err.Error(), dir+" is a directory") {
		t.Errorf("got %v", err)
	}
}
