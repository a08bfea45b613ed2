package ingest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"sundew"
)

// benchLines returns canonical lines and combined lines of the same 4,096 requests, near 480 and 190 bytes each; one in
// twenty holds an escape.
func benchLines() (canonical, combined [][]byte) {
	random := rand.New(rand.NewPCG(5, 6))
	for i := range 4096 {
		e := sundew.NewEvent()
		e.Time = time.Date(2026, 11, 24, 12, 0, 0, random.IntN(1e9), time.UTC)
		e.Client = netip.AddrFrom4([4]byte{198, 51, byte(random.Uint32()), byte(random.Uint32())})
		e.Method, e.Host, e.Path = "GET", "api.example.com", fmt.Sprintf("/v1/orders/%d", random.IntN(1000))
		e.Query, e.Route, e.Status = "page=2&size=50", "/v1/orders/{id}", 200
		e.ResponseBytes, e.Duration = random.Int64N(1e5), time.Duration(random.IntN(1e9))
		e.UserAgent = "ExampleApp/7.4 (iPhone; iOS 26.1; Scale/3.00)"
		if i%20 == 0 {
			e.UserAgent = `ExampleApp/7.4 "beta"`
		}
		e.Device = fmt.Sprintf("6f1f9c9e-8d5d-4c3f-9b6a-%012d", random.IntN(500))
		e.Account, e.Session = fmt.Sprint("user-", random.IntN(500)), fmt.Sprintf("s%016x", random.IntN(500))
		e.JA4, e.Country, e.ASN = "t13d1516h2_8daaf6152771_b186095e22b6", "DE", 64500
		canonical = append(canonical, e.AppendJSON(nil))
		combined = append(combined, fmt.Appendf(nil, `%s - - [24/Nov/2026:12:00:%02d +0000] "GET %s?%s HTTP/1.1" 200 %d "https://example.com/" %q`,
			e.Client, i%60, e.Path, e.Query, e.ResponseBytes, e.UserAgent))
	}
	return canonical, combined
}

func BenchmarkCanonicalJSON(b *testing.B) {
	lines, _ := benchLines()
	benchmarkDecoder(b, newCanonicalJSON(), lines)
}

func BenchmarkNginx(b *testing.B) {
	_, lines := benchLines()
	benchmarkDecoder(b, newCombined(), lines)
}

func benchmarkDecoder(b *testing.B, d Decoder, lines [][]byte) {
	b.Run("floor", func(b *testing.B) { // what it takes to look at the bytes at all
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if bytes.IndexByte(lines[i%len(lines)], '\n') >= 0 {
				b.Fatal("newline in a line")
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) { // another yardstick, for JSON alone
		if lines[0][0] != '{' {
			b.Skip("not JSON")
		}
		for i := 0; b.Loop(); i++ {
			var doc struct {
				Time   time.Time  `json:"timestamp"`
				Client netip.Addr `json:"client.address"`
				Method string     `json:"http.request.method"`
				Path   string     `json:"url.path"`
				Status int        `json:"http.response.status_code"`
				Agent  string     `json:"user_agent.original"`
				Device string     `json:"device.id"`
			}
			if err := json.Unmarshal(lines[i%len(lines)], &doc); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		var e sundew.Event
		for i := 0; b.Loop(); i++ {
			e = sundew.NewEvent()
			if err := d.Decode(lines[i%len(lines)], &e); err != nil {
				b.Fatal(err)
			}
		}
	})
}
