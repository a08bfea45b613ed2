package edge

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"sundew"
)

// An intake is the control plane's end: it answers with the statuses that it is given, then 200, and keeps what it took.
type intake struct {
	mu       sync.Mutex
	statuses []int
	batches  [][]uint64 // gateway.sequence of each line
	paths    []string
	took     func(n int)
}

func (i *intake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	status := http.StatusOK
	if len(i.statuses) > 0 {
		status, i.statuses = i.statuses[0], i.statuses[1:]
	}
	i.paths = append(i.paths, r.URL.Path+" "+r.Header.Get("Authorization")+" "+r.Header.Get("Content-Type"))
	if status == http.StatusOK {
		batch := readSequences(r)
		i.batches = append(i.batches, batch)
		if i.took != nil {
			i.took(len(batch))
		}
	}
	w.WriteHeader(status)
}

func readSequences(r *http.Request) (sequences []uint64) {
	body, err := gzip.NewReader(r.Body)
	if err != nil {
		panic(err)
	}
	for lines := bufio.NewScanner(body); lines.Scan(); {
		var line struct {
			Sequence uint64 `json:"gateway.sequence"`
			Gateway  string `json:"gateway.id"`
			Epoch    uint64 `json:"gateway.epoch"`
			Path     string `json:"url.path"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			panic(err)
		}
		if line.Gateway != "g1" || line.Epoch == 0 || line.Path != "/"+strconv.FormatUint(line.Sequence, 10) {
			panic("unexpected line " + lines.Text())
		}
		sequences = append(sequences, line.Sequence)
	}
	return sequences
}

func (i *intake) all() []uint64 {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Concat(i.batches...)
}

func shipNumbered(s *Shipper, from, to uint64) {
	for n := from; n <= to; n++ {
		e := sundew.NewEvent()
		e.Time, e.Client, e.Path = monday, netip.MustParseAddr("192.0.2.1"), "/"+strconv.FormatUint(n, 10)
		s.Ship(e)
	}
}

func upTo64(from, to uint64) (all []uint64) {
	for n := from; n <= to; n++ {
		all = append(all, n)
	}
	return all
}

func TestShipperOverASocket(t *testing.T) {
	delivered := make(chan int, 10)
	in := &intake{took: func(n int) { delivered <- n }}
	server := httptest.NewServer(in)
	t.Cleanup(server.Close)
	s := NewShipper(ShipperConfig{URL: server.URL, Token: "secret", Gateway: "g1", Batch: 10, Linger: time.Millisecond}, nil, quiet())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	shipNumbered(s, 1, 25)
	go func() { done <- s.Run(ctx) }()
	for n := 0; n < 25; {
		n += <-delivered
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got := in.all(); !slices.Equal(got, upTo64(1, 25)) || len(in.batches) != 3 {
		t.Errorf("took %v in %d batches", got, len(in.batches))
	}
	if want := "/ingest/v1/logs Bearer secret application/x-ndjson"; in.paths[0] != want {
		t.Errorf("asked %q, want %q", in.paths[0], want)
	}
}

func TestShipper(t *testing.T) {
	tests := []struct {
		story    string
		statuses []int
		queue    int
		before   uint64 // lines shipped before Run
		after    uint64 // and while it waits to try again
		want     []uint64
		dropped  map[string]float64
	}{
		{"lines arrive in order", nil, 100, 30, 0, upTo64(1, 30), nil},
		{"a fault is tried again", []int{500, 503, 429, 401}, 100, 5, 0, upTo64(1, 5), nil},
		{"what is refused for good is dropped and the rest goes on", []int{400}, 100, 20, 0, upTo64(11, 20), map[string]float64{"refused": 10}},
		{"when the queue is full the oldest go", nil, 8, 20, 0, upTo64(13, 20), map[string]float64{"queue_full": 12}},
		{"the batch in hand is kept while the queue runs over", []int{500}, 8, 8, 20, slices.Concat(upTo64(1, 8), upTo64(21, 28)), map[string]float64{"queue_full": 12}},
	}
	for _, tt := range tests {
		t.Run(tt.story, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				in := &intake{statuses: tt.statuses}
				s := NewShipper(ShipperConfig{
					URL: "http://control.example", Gateway: "g1", Queue: tt.queue, Batch: 10,
					Client: &http.Client{Transport: &switchboard{handler: in}},
				}, nil, quiet())
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error)
				shipNumbered(s, 1, tt.before)
				go func() { done <- s.Run(ctx) }()
				time.Sleep(s.Linger) // false time
				synctest.Wait()
				shipNumbered(s, tt.before+1, tt.before+tt.after)
				time.Sleep(5 * time.Minute)
				synctest.Wait()
				cancel()
				if err := <-done; err != nil {
					t.Error(err)
				}
				if got := in.all(); !slices.Equal(got, tt.want) {
					t.Errorf("took %v, want %v", got, tt.want)
				}
				for _, reason := range []string{"queue_full", "refused", "stopped"} {
					if got := testutil.ToFloat64(s.metrics.dropped.WithLabelValues(reason)); got != tt.dropped[reason] {
						t.Errorf("dropped %v because %s, want %v", got, reason, tt.dropped[reason])
					}
				}
				if got := testutil.ToFloat64(s.metrics.shipped); got != float64(len(tt.want)) {
					t.Errorf("counted %v shipped, want %d", got, len(tt.want))
				}
			})
		})
	}
}

func TestShipperStops(t *testing.T) {
	tests := []struct {
		story string
		down  bool
		want  int
	}{
		{"what waits is delivered at a stop", false, 25},
		{"without a control plane a stop loses the rest, in bounded time, and says so", true, 0},
	}
	for _, tt := range tests {
		t.Run(tt.story, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				in := &intake{}
				board := &switchboard{handler: in}
				if tt.down {
					board.handler = nil
				}
				s := NewShipper(ShipperConfig{URL: "http://control.example", Gateway: "g1", Batch: 10, Client: &http.Client{Transport: board}}, nil, quiet())
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				shipNumbered(s, 1, 25)
				start := time.Now()
				if err := s.Run(ctx); err != nil {
					t.Error(err)
				}
				if took := time.Since(start); took > s.Timeout {
					t.Errorf("the stop took %s", took)
				}
				if got := len(in.all()); got != tt.want {
					t.Errorf("took %d lines, want %d", got, tt.want)
				}
				if got := testutil.ToFloat64(s.metrics.dropped.WithLabelValues("stopped")); got != float64(25-tt.want) {
					t.Errorf("counted %v lost", got)
				}
			})
		})
	}
}

func TestShipDoesNotWait(t *testing.T) {
	s := NewShipper(ShipperConfig{URL: "http://control.example", Queue: 4}, nil, quiet())
	shipNumbered(s, 1, 10_000) // nobody takes them
	if s.waiting != 4 || s.sequence != 10_000 {
		t.Errorf("%d wait, last number %d", s.waiting, s.sequence)
	}
}

func TestShipperConfigNamesTheMistake(t *testing.T) {
	for want, spoil := range map[string]func(*ShipperConfig){
		"url":     func(c *ShipperConfig) { c.URL = "" },
		"gateway": func(c *ShipperConfig) { c.Gateway = "" },
		"queue":   func(c *ShipperConfig) { c.Queue = 0 },
	} {
		c := DefaultShipperConfig()
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		spoil(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
}

func BenchmarkShip(b *testing.B) {
	s := NewShipper(DefaultShipperConfig(), nil, quiet())
	e := sundew.NewEvent()
	b.ReportAllocs()
	for b.Loop() {
		s.Ship(e)
	}
}
