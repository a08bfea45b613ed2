//go:build unix

package scoring

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"sundew"
)

// quiet is traffic of many clients who do nothing wrong: each request names an address, its network and a device, one
// in fifty is answered with 404, and most people are seen again after hours.
type quiet struct {
	rng     *rand.Rand
	clients int
	devices []string
	second  int64
	seen    int
}

// newQuiet has the clients that make the given number of entities: nine in twenty are addresses, nine in twenty
// devices, and about one in ten is a network.
func newQuiet(entities int) *quiet {
	q := &quiet{rng: rand.New(rand.NewPCG(17, 18)), clients: entities * 9 / 20, second: start.Unix()}
	q.devices = make([]string, q.clients)
	for i := range q.devices {
		q.devices[i] = fmt.Sprintf("%08x-9f1c-4e55-b1c2-%012x", uint32(i)*2654435761, i)
	}
	return q
}

// event is the request of one client; every hundred requests take a second.
func (q *quiet) event(client, n int) sundew.Event {
	e := sundew.NewEvent()
	e.Time = time.Unix(q.second+int64(n/100), 0).UTC()
	var addr [4]byte
	network, host := uint32(client)*2/9, uint32(client)%251 // four or five addresses to a network
	binary.BigEndian.PutUint32(addr[:], 11<<24+network<<8+host)
	e.Client = netip.AddrFrom4(addr)
	e.Method, e.Host, e.Path, e.Status = "GET", "api.example.org", paths[q.rng.IntN(len(paths))], 200
	e.ResponseBytes = int64(q.rng.IntN(20_000))
	q.seen += int(q.devices[client][0]) // brings the text into the caches, where a decoder leaves it
	e.UserAgent, e.Device = "ExampleApp/5.12 (iPhone; iOS 19.1; Scale/3.00) CFNetwork/1568", q.devices[client]
	if q.rng.IntN(50) == 0 {
		e.Status = 404
	}
	return e
}

var paths = func() []string {
	list := make([]string, 200)
	for i := range list {
		list[i] = fmt.Sprintf("/v1/feed/items/%d", 100+i)
	}
	return list
}()

// BenchmarkQuiet measures an event of three entities in tables of different sizes. The largest needs about 8 GB and runs
// with SUNDEW_LONG set.
func BenchmarkQuiet(b *testing.B) {
	for _, entities := range []int{1e5, 1e6, 1e7} {
		b.Run(fmt.Sprintf("entities=%d", entities), func(b *testing.B) {
			if entities > 1e6 && os.Getenv("SUNDEW_LONG") == "" {
				b.Skip("needs 8 GB: set SUNDEW_LONG=1")
			}
			benchmarkQuiet(b, entities)
		})
	}
}

func benchmarkQuiet(b *testing.B, entities int) {
	const batch = 8192
	q := newQuiet(entities)
	events := make([]sundew.Event, batch)
	before, others := heap(), collectionCPU(b)
	e := filled(b, q, events, entities)
	collection := max(collectionCPU(b)-others, 0) // what the engine adds to it
	b.ReportAllocs()
	n, used := 0, time.Duration(0)
	for b.Loop() {
		for i := range events {
			events[i] = q.event(q.rng.IntN(q.clients), n+i)
		}
		n += batch
		began := cpu(b)
		e.Score(sundew.Batch{Events: events})
		used += cpu(b) - began
	}
	perEvent := float64(used.Nanoseconds()) / float64(n)
	kept := heap() - before
	b.ReportMetric(perEvent, "cpu-ns/event")
	b.ReportMetric(perEvent/(entitiesPerEvent*plainLookup(b, e.Entities())), "x-lookups")
	b.ReportMetric(0, "ns/op") // has the making of the events in it
	b.ReportMetric(float64(kept)/float64(e.Entities()), "B/entity")
	b.ReportMetric(float64(collection.Microseconds())/1e3, "GC-ms")
}

// filled is an engine that has seen every client once and has hardly any room left.
func filled(tb testing.TB, q *quiet, events []sundew.Event, entities int) *Engine {
	tb.Helper()
	c := DefaultConfig()
	c.Entities, c.Workers, c.Seed = 2*entities, 1, 7
	e, err := New(c)
	if err != nil {
		tb.Fatal(err)
	}
	for at := 0; at < q.clients; at += len(events) {
		n := min(len(events), q.clients-at)
		for i := range n {
			events[i] = q.event(at+i, at+i)
		}
		e.Score(sundew.Batch{Events: events[:n]})
	}
	q.second += int64(q.clients / 100)
	return e
}

const entitiesPerEvent = 3

// plainLookup is what a machine of this kind takes at least for one entity, in nanoseconds: a lookup in Go's map and one
// write to each cache line of a record of 256 bytes, at random. Ratios to it can be compared between machines and hours.
func plainLookup(tb testing.TB, entities int) float64 {
	tb.Helper()
	const lookups = 1 << 20
	type record [4][8]uint64
	records, slots := make([]record, entities), make(map[uint64]uint32, entities)
	for i := range records {
		slots[uint64(i)*0x9e3779b97f4a7c15] = uint32(i)
		records[i][0][0] = 1 // or the measure would be of the system's handing out memory
	}
	rng := rand.New(rand.NewPCG(19, 20))
	began := cpu(tb)
	for range lookups {
		r := &records[slots[rng.Uint64N(uint64(entities))*0x9e3779b97f4a7c15]]
		for line := range r {
			r[line][0]++
		}
	}
	return float64((cpu(tb) - began).Nanoseconds()) / lookups
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// cpu is what the process has used, all threads and the garbage collector included: other programs disturb it less than
// the clock.
func cpu(tb testing.TB) time.Duration {
	tb.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// collectionCPU is what one collection of the heap costs as it stands, the least of several.
func collectionCPU(tb testing.TB) time.Duration {
	tb.Helper()
	least := time.Hour
	for range 5 {
		began := cpu(tb)
		runtime.GC()
		least = min(least, cpu(tb)-began)
	}
	return least
}

func BenchmarkSnapshot(b *testing.B) {
	const entities = 1_000_000
	q := newQuiet(entities)
	e := filled(b, q, make([]sundew.Event, 8192), entities)
	var state []byte
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			state = e.AppendState(state[:0])
		}
		b.SetBytes(int64(len(state)))
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*e.Entities()), "ns/entity")
	})
	b.Run("read", func(b *testing.B) {
		n := e.Entities()
		for b.Loop() {
			if err := e.RestoreState(state); err != nil {
				b.Fatal(err)
			}
		}
		b.SetBytes(int64(len(state)))
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/entity")
	})
}
