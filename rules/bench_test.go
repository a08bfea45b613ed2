package rules

import (
	"testing"

	"sundew"
)

// BenchmarkDecideNoMatch is the pack on an ordinary request of an app: the case that nearly all scores are.
func BenchmarkDecideNoMatch(b *testing.B) {
	engine := NewEngine(starter(b), DefaultConfig())
	scores := []sundew.Score{ordinary(), ordinary()}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if ds := engine.Decide(scores[i%2 : i%2+1]); len(ds) > 0 {
			b.Fatal("an ordinary request was decided on")
		}
	}
}

func ordinary() sundew.Score {
	s := request(0, "/v1/accounts/8412/orders")
	s.Event.Query = "page=2&sort=created&limit=50"
	s.Event.UserAgent = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148"
	s.Features[sundew.Requests1m] = 4
	s.Features[sundew.Requests10m] = 21
	s.Features[sundew.Requests1h] = 60
	s.Features[sundew.DistinctPaths1h] = 12
	return s
}
