package ingest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/mailru/easyjson"

	"sundew"
)

// flatEvent is what easyjson decodes the benchmark's lines into: the same fields as sundew.Event, as far as they occur.
// Its code is made by "easyjson -output_filename flat_easyjson.go flat.go" from a file flat.go with this type alone, and
// renamed so that it belongs to the tests.
type flatEvent struct {
	Time          time.Time  `json:"timestamp"`
	Client        netip.Addr `json:"client.address"`
	Method        string     `json:"http.request.method"`
	Host          string     `json:"server.address"`
	Path          string     `json:"url.path"`
	Query         string     `json:"url.query"`
	Route         string     `json:"http.route"`
	Status        int        `json:"http.response.status_code"`
	ResponseBytes int64      `json:"http.response.body.size"`
	Duration      float64    `json:"http.server.request.duration"`
	UserAgent     string     `json:"user_agent.original"`
	Referer       string     `json:"http.request.header.referer"`
	Device        string     `json:"device.id"`
	Account       string     `json:"user.id"`
	Session       string     `json:"session.id"`
	JA4           string     `json:"tls.client.ja4"`
	Country       string     `json:"geo.country_iso_code"`
	ASN           uint32     `json:"client.as.number"`
	RequestID     string     `json:"request.id"`
	Gateway       string     `json:"gateway.id"`
}

// benchmarkLines of each format are more than the second cache of a server holds, as a stream is.
const benchmarkLines = 16_384

// benchLines returns the lines of the same requests as canonical JSON, 20 fields each, and in the combined format.
// One in twenty holds an escape. What clients share in life they share here: 200 user agents and fingerprints, 40 routes,
// 2,000 devices; paths, queries, sizes, durations and request identifiers differ.
func benchLines() (canonical, combined [][]byte) {
	random := rand.New(rand.NewPCG(5, 6))
	for i := range benchmarkLines {
		who, what := random.IntN(2000), random.IntN(40)
		e := sundew.NewEvent()
		e.Time = time.Date(2026, 11, 24, 12, 0, 0, random.IntN(1e9), time.UTC).Add(time.Duration(i) * time.Millisecond)
		e.Client = netip.AddrFrom4([4]byte{198, 51, byte(who / 250), byte(who)})
		e.Method = []string{"GET", "GET", "GET", "POST"}[what%4]
		e.Host = []string{"api.example.com", "img.example.com"}[what%2]
		e.Path, e.Route = fmt.Sprintf("/v1/r%d/%d", what, random.IntN(1000)), fmt.Sprintf("/v1/r%d/{id}", what)
		e.Query = fmt.Sprintf("page=%d&size=50", random.IntN(1000))
		e.Status = []int{200, 200, 200, 304, 404}[random.IntN(5)]
		e.ResponseBytes, e.Duration = random.Int64N(1e5), time.Duration(random.IntN(1e6))*time.Microsecond
		e.UserAgent = fmt.Sprintf("Mozilla/5.0 (Linux; Android 16; Pixel %d) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/1%d.0.0.0 Mobile Safari/537.36", who%10, who/10%20)
		if i%20 == 0 {
			e.UserAgent = fmt.Sprintf(`App/7.%d "beta" (iPhone; iOS 26.1)`, who%200)
		}
		e.Referer = "https://example.com/"
		e.Device = fmt.Sprintf("6f1f9c9e-8d5d-4c3f-9b6a-%012d", who)
		e.Account, e.Session = fmt.Sprint("u", who), fmt.Sprintf("s%08x", who)
		e.JA4, e.Country, e.ASN = fmt.Sprintf("t13d1516h2_8daaf6152771_%012x", who%200), []string{"DE", "FR", "US"}[who%3], uint32(64500+who%30)
		e.RequestID, e.Gateway = fmt.Sprintf("%016x", random.Uint64()), "gw-1"
		canonical = append(canonical, e.AppendJSON(nil))
		combined = append(combined, fmt.Appendf(nil, `%s - - [24/Nov/2026:12:00:%02d +0000] "%s %s?%s HTTP/1.1" %d %d "https://example.com/" %q`,
			e.Client, i/1000, e.Method, e.Path, e.Query, e.Status, e.ResponseBytes, e.UserAgent))
	}
	return canonical, combined
}

// lap is what one contestant needs for all lines.
type lap struct {
	name string
	run  func(lines [][]byte)
}

// race lets contestants decode the same lines in turn, so that what else the machine does meets them alike, and compares
// the CPU time of their best turns, in which they also sweep up what they leave: the first is ours, the others are what it
// is held against.
func race(b *testing.B, lines [][]byte, laps ...lap) {
	const inTurn = 4
	best := make([]time.Duration, len(laps))
	for b.Loop() {
		for i, l := range laps {
			runtime.GC() // what the one before has left
			start := cpu(b)
			for range inTurn {
				l.run(lines)
			}
			if took := cpu(b) - start; best[i] == 0 || took < best[i] {
				best[i] = took
			}
		}
	}
	for i, l := range laps {
		b.ReportMetric(float64(best[i].Nanoseconds())/float64(inTurn*len(lines)), l.name+"-ns/line")
		if i > 0 {
			b.ReportMetric(float64(best[0])/float64(best[i]), "x-"+l.name)
		}
	}
	b.ReportMetric(allocations(lines, laps[0].run), "allocs/line")
	b.ReportMetric(0, "ns/op")
}

// allocations counts those of a lap per line.
func allocations(lines [][]byte, run func([][]byte)) float64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	run(lines)
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(len(lines))
}

// floor is what it takes to look at the bytes at all.
func floor(b *testing.B) lap {
	return lap{"floor", func(lines [][]byte) {
		for _, line := range lines {
			if bytes.IndexByte(line, '\n') >= 0 {
				b.Fatal("newline in a line")
			}
		}
	}}
}

func decoding(b *testing.B, d Decoder) lap {
	var e sundew.Event
	return lap{"decode", func(lines [][]byte) {
		for _, line := range lines {
			e = sundew.NewEvent()
			if err := d.Decode(line, &e); err != nil {
				b.Fatal(err)
			}
		}
	}}
}

func BenchmarkCanonicalJSON(b *testing.B) {
	lines, _ := benchLines()
	race(b, lines, decoding(b, newCanonicalJSON()), floor(b), lap{"easyjson", func(lines [][]byte) {
		for _, line := range lines {
			var e flatEvent
			if err := easyjson.Unmarshal(line, &e); err != nil {
				b.Fatal(err)
			}
		}
	}}, lap{"encoding-json", func(lines [][]byte) {
		type plain flatEvent // without easyjson's methods
		for _, line := range lines {
			var e plain
			if err := json.Unmarshal(line, &e); err != nil {
				b.Fatal(err)
			}
		}
	}})
}

func BenchmarkNginx(b *testing.B) {
	_, lines := benchLines()
	race(b, lines, decoding(b, newCombined()), floor(b))
}
