package scoring

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"sundew"
)

var start = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)

func newEngine(t testing.TB, workers int) *Engine {
	t.Helper()
	c := DefaultConfig()
	c.Entities, c.Workers, c.Seed = 4096, workers, 7
	e, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// request is an event of the story that a test tells.
func request(at time.Duration, client string, change func(*sundew.Event)) sundew.Event {
	e := sundew.NewEvent()
	e.Time, e.Client = start.Add(at), netip.MustParseAddr(client)
	e.Method, e.Path, e.Status = "GET", "/v1/feed", 200
	if change != nil {
		change(&e)
	}
	return e
}

// last returns the last score of an entity, and its highest points.
func last(scores []sundew.Score, entity sundew.Entity) (found sundew.Score, most float64) {
	for _, s := range scores {
		if s.Entity == entity {
			found = s
			most = max(most, s.Points)
		}
	}
	return found, most
}

// story is what the clients of one test do, and what must be said of one of them.
type story struct {
	name    string
	entity  sundew.Entity
	n       int // requests
	every   time.Duration
	change  func(i int, e *sundew.Event)
	atLeast float64 // points at their highest
	atMost  float64
	channel string // the strongest reason at the end, "" for none in particular
}

// Who the stories are about.
const client = "198.51.100.7"

var (
	ip      = sundew.Entity{Kind: sundew.KindIP, Key: client}
	device  = sundew.Entity{Kind: sundew.KindDevice, Key: "d-1"}
	account = sundew.Entity{Kind: sundew.KindAccount, Key: "a-1"}
	apiKey  = sundew.Entity{Kind: sundew.KindAPIKey, Key: "k-1"}
)

func tell(t *testing.T, stories []story) {
	t.Helper()
	for _, test := range stories {
		t.Run(test.name, func(t *testing.T) {
			var events []sundew.Event
			for i := range test.n {
				events = append(events, request(time.Duration(i)*test.every, client, func(e *sundew.Event) {
					if test.change != nil {
						test.change(i, e)
					}
				}))
			}
			score, most := last(newEngine(t, 1).Score(sundew.Batch{Events: events}), test.entity)
			if most < test.atLeast || most > test.atMost {
				t.Fatalf("%d requests took %s to %.1f points, want %v to %v; reasons %v",
					test.n, test.entity, most, test.atLeast, test.atMost, score.Evidence)
			}
			if test.channel != "" && (len(score.Evidence) == 0 || score.Evidence[0].Channel != test.channel) {
				t.Errorf("strongest reason: %v, want channel %s", score.Evidence, test.channel)
			}
		})
	}
}

// TestChannels tells, for each channel, a story that it must see and a look-alike that it must not. Channels with a test
// file of their own have theirs there.
func TestChannels(t *testing.T) {
	tell(t, []story{
		{
			"one address fails at every login", ip, 20, 2 * time.Second,
			func(_ int, e *sundew.Event) { e.Method, e.Path, e.Auth = "POST", "/v1/login", sundew.OutcomeFailure },
			90, 100, "outcome_auth",
		},
		{
			"a person mistypes twice, then gets in and works", ip, 40, 10 * time.Second,
			func(i int, e *sundew.Event) {
				if i < 3 {
					e.Method, e.Path = "POST", "/v1/login"
					e.Auth = sundew.OutcomeFailure
				}
				if i == 2 {
					e.Auth = sundew.OutcomeSuccess
				}
			},
			0, 5, "",
		},
		{
			"a sweep for things that are not there", ip, 30, time.Second,
			func(i int, e *sundew.Event) { e.Path, e.Status = fmt.Sprintf("/admin%d.php", i), 404 },
			90, 100, "outcome_client_error",
		},
		{
			"a visitor meets two broken links", ip, 40, 5 * time.Second,
			func(i int, e *sundew.Event) {
				e.Path = fmt.Sprintf("/page/%d", i)
				if i == 10 || i == 11 {
					e.Status = 404
				}
			},
			0, 2, "",
		},
		{
			"a browser asks for its icons on every page", ip, 30, time.Minute,
			func(_ int, e *sundew.Event) { e.Path, e.Status = "/favicon.ico", 404 },
			0, 1, "",
		},
		{
			"our own edge refuses, which is no new evidence", ip, 50, time.Second,
			func(_ int, e *sundew.Event) { e.Status, e.EdgeAction = 403, sundew.ActionBlock },
			0, 5, "",
		},
		{
			"a flood of 1200 a minute", ip, 2400, 50 * time.Millisecond, nil,
			90, 100, "rate",
		},
		{
			"pages with 60 pictures, one every half minute", ip, 60 * 20, 0,
			func(i int, e *sundew.Event) {
				e.Time = start.Add(time.Duration(i/60)*30*time.Second + time.Duration(i%60)*20*time.Millisecond)
				if e.Path = fmt.Sprintf("/page/%d", i/60); i%60 > 0 {
					e.Path = fmt.Sprintf("/assets/%d.png", i%60)
				}
			},
			0, 1, "",
		},
		{
			"a client of an API that asks 25 times at once, every other minute", ip, 250, 0,
			func(i int, e *sundew.Event) {
				e.Time = start.Add(time.Duration(i/25)*2*time.Minute + time.Duration(i%25)*50*time.Millisecond)
			},
			0, 40, "",
		},
		{
			"a scraper at 100 a minute, for ten minutes", ip, 1000, 600 * time.Millisecond,
			func(i int, e *sundew.Event) { e.Path = fmt.Sprintf("/v1/products/%d", i) },
			90, 100, "rate",
		},
		{
			"one device walks through accounts", device, 20, 5 * time.Second,
			func(i int, e *sundew.Event) { e.Device, e.Account = "d-1", fmt.Sprintf("victim-%d", i) },
			90, 100, "coverage_accounts",
		},
		{
			"a family shares a tablet", device, 60, time.Minute,
			func(i int, e *sundew.Event) { e.Device, e.Account = "d-1", fmt.Sprintf("child-%d", i/20) },
			0, 5, "",
		},
		{
			"one account appears on device after device", account, 30, 5 * time.Second,
			func(i int, e *sundew.Event) { e.Account, e.Device = "a-1", fmt.Sprintf("fresh-%d", i) },
			80, 100, "coverage_devices",
		},
	})
}

// TestOneBadAddressDoesNotConvictItsNetwork has an attacker among quiet neighbours.
func TestOneBadAddressDoesNotConvictItsNetwork(t *testing.T) {
	var events []sundew.Event
	for i := range 400 {
		events = append(events, request(time.Duration(i)*time.Second, "203.0.113.66", func(e *sundew.Event) { e.Status = 404 }))
		events = append(events, request(time.Duration(i)*time.Second, fmt.Sprintf("203.0.113.%d", 1+i%50), nil))
	}
	scores := newEngine(t, 2).Score(sundew.Batch{Events: events})
	if _, most := last(scores, sundew.Entity{Kind: sundew.KindIP, Key: "203.0.113.66"}); most < 90 {
		t.Errorf("the attacker has %.1f points", most)
	}
	if _, most := last(scores, sundew.Entity{Kind: sundew.KindPrefix, Key: "203.0.113.0/24"}); most > 50 {
		t.Errorf("its network has %.1f points, want at most 50", most)
	}
}

// traffic is a mixture of everything, for tests of sameness.
func traffic(n int) []sundew.Event {
	rng := rand.New(rand.NewPCG(11, 12))
	events := make([]sundew.Event, n)
	for i := range events {
		client := fmt.Sprintf("198.51.%d.%d", rng.IntN(8), rng.IntN(64))
		if rng.IntN(4) == 0 {
			client = fmt.Sprintf("2001:db8:%x::%x", rng.IntN(16), rng.IntN(16))
		}
		events[i] = request(time.Duration(i)*173*time.Millisecond, client, func(e *sundew.Event) {
			e.Path = fmt.Sprintf("/v1/items/%d", rng.IntN(200))
			e.Device = fmt.Sprintf("dev-%d", rng.IntN(300))
			e.Account = fmt.Sprintf("acc-%d", rng.IntN(300))
			if rng.IntN(3) == 0 {
				e.Status = 404
			}
			if rng.IntN(20) == 0 {
				e.Method, e.Path, e.Auth = "POST", "/v1/login", sundew.Outcome(1+rng.IntN(2))
			}
			e.APIKey = fmt.Sprintf("key-%d", rng.IntN(20))
			e.Attestation, e.Signature = sundew.Proof(rng.IntN(5)), sundew.Proof(rng.IntN(6))
			e.CaptchaScore = rng.Float64()*2 - 1
			e.Object = fmt.Sprint(1000 + i/4 + rng.IntN(3))
			e.UserAgent, e.JA4 = fmt.Sprintf("agent %d", rng.IntN(40)), fmt.Sprintf("ja4 %d", rng.IntN(3))
			if rng.IntN(10) == 0 {
				e.Query = fmt.Sprintf("id=%d'+or+'1'%%3D'1", i)
			}
		})
	}
	return events
}

// TestSameLogSameScores is the promise of determinism: workers, batches and a restart in the middle change nothing, within
// a day and over several, where the population's knowledge is replaced.
func TestSameLogSameScores(t *testing.T) {
	for name, slower := range map[string]time.Duration{"half an hour": 1, "four days": 200} {
		events := traffic(10_000)
		for i := range events {
			events[i].Time = start.Add(events[i].Time.Sub(start) * slower)
		}
		t.Run(name, func(t *testing.T) { sameScores(t, events) })
	}
}

func sameScores(t *testing.T, events []sundew.Event) {
	reference := newEngine(t, 1)
	want := reference.Score(sundew.Batch{Events: events})
	wantState := reference.AppendState(nil)

	for _, workers := range []int{1, 2, 16} {
		for _, size := range []int{1, 97, 8192} {
			if size == 1 && workers != 2 {
				continue // one for all: what many workers share does not depend on the batch
			}
			t.Run(fmt.Sprintf("%d workers, batches of %d", workers, size), func(t *testing.T) {
				e := newEngine(t, workers)
				var got []sundew.Score
				for at := 0; at < len(events); at += size {
					if size == 97 && at/size%10 == 5 {
						e = restarted(t, e, workers)
					}
					got = append(got, e.Score(sundew.Batch{Events: events[at:min(at+size, len(events))]})...)
				}
				if len(got) != len(want) {
					t.Fatalf("%d scores, want %d", len(got), len(want))
				}
				for i := range want {
					if !reflect.DeepEqual(got[i], want[i]) {
						t.Fatalf("score %d is\n%+v\nwant\n%+v", i, got[i], want[i])
					}
				}
				if !bytes.Equal(e.AppendState(nil), wantState) {
					t.Error("the states differ")
				}
			})
		}
	}
}

func restarted(t *testing.T, e *Engine, workers int) *Engine {
	t.Helper()
	next := newEngine(t, workers)
	next.hash = 0 // the seed must come with the state
	if err := next.RestoreState(e.AppendState(nil)); err != nil {
		t.Fatal(err)
	}
	return next
}

func TestRestoreRefusesDamage(t *testing.T) {
	e := newEngine(t, 1)
	e.Score(sundew.Batch{Events: traffic(500)})
	whole := e.AppendState(nil)
	larger := DefaultConfig()
	larger.Entities = 8192
	other, err := New(larger)
	if err != nil {
		t.Fatal(err)
	}
	negativeZero, disorder := newEngine(t, 1), newEngine(t, 1)
	negativeZero.population.flows[0][0][1] = float32(math.Copysign(0, -1))
	disorder.cells[0].high = []castVote{{Hash: 1, Cell: 1}, {Hash: 2, Cell: 0}}
	tests := []struct {
		name   string
		engine *Engine
		src    []byte
	}{
		{"votes that would lose their sign", newEngine(t, 1), negativeZero.AppendState(nil)},
		{"votes not in the order of their cells", newEngine(t, 1), disorder.AppendState(nil)},
		{"empty", newEngine(t, 1), nil},
		{"cut in the header", newEngine(t, 1), whole[:10]},
		{"cut in the middle", newEngine(t, 1), whole[:len(whole)/2]},
		{"cut at the end", newEngine(t, 1), whole[:len(whole)-1]},
		{"too long", newEngine(t, 1), append(bytes.Clone(whole), 0)},
		{"newer version", newEngine(t, 1), append([]byte{99}, whole[1:]...)},
		{"another size", other, whole},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := test.engine.RestoreState(test.src); err == nil {
				t.Fatal("no error")
			}
			if n := test.engine.Entities(); n != 0 {
				t.Errorf("%d entities are left after the error", n)
			}
		})
	}
}

func FuzzRestoreState(f *testing.F) {
	c := DefaultConfig()
	c.Entities, c.Workers = cells, 1
	e, err := New(c)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(e.AppendState(nil))
	e.Score(sundew.Batch{Events: traffic(100)})
	f.Add(e.AppendState(nil))
	f.Fuzz(func(t *testing.T, src []byte) {
		if err := e.RestoreState(src); err != nil {
			return
		}
		if got := e.AppendState(nil); !bytes.Equal(got, src) {
			at := 0
			for at < min(len(got), len(src)) && got[at] == src[at] {
				at++
			}
			t.Errorf("a state that was read back differs from its bytes: %d bytes of %d, from byte %d on", len(got), len(src), at)
		}
	})
}

// TestScoresKeepTheOrderOfEvents checks the order that the contract of Score promises.
func TestScoresKeepTheOrderOfEvents(t *testing.T) {
	events := traffic(50)
	scores := newEngine(t, 8).Score(sundew.Batch{Events: events})
	var want []sundew.Entity
	for i := range events {
		trial := newTrial(&events[i], 1)
		for _, entity := range events[i].AppendEntities(nil) {
			if entity.Kind != sundew.KindASN || trial.concernsGroups() {
				want = append(want, entity)
			}
		}
	}
	if len(scores) != len(want) {
		t.Fatalf("%d scores for %d entities", len(scores), len(want))
	}
	for i := range want {
		if scores[i].Entity != want[i] {
			t.Fatalf("score %d is of %s, want %s", i, scores[i].Entity, want[i])
		}
	}
}

func TestFeatures(t *testing.T) {
	var events []sundew.Event
	for i := range 30 { // one a second from 10:00:00
		events = append(events, request(time.Duration(i)*time.Second, "192.0.2.1", func(e *sundew.Event) {
			e.ResponseBytes = 4096
			e.UserAgent = fmt.Sprintf("agent %d", i%3)
			if i%2 == 0 {
				e.Status = 404
			}
		}))
	}
	// Half a minute into the next minute, half of the first minute's bucket is left.
	events = append(events, request(90*time.Second, "192.0.2.1", nil))
	scores := newEngine(t, 1).Score(sundew.Batch{Events: events})
	score, _ := last(scores, sundew.Entity{Kind: sundew.KindIP, Key: "192.0.2.1"})
	for feature, want := range map[sundew.Feature]float64{
		sundew.Requests1m:           1 + 30*.5,
		sundew.Requests10m:          31,
		sundew.NotFound10m:          15,
		sundew.ClientErrors10m:      15,
		sundew.ClientErrorRatio10m:  15.0 / 31,
		sundew.DistinctUserAgents1h: 3,
		sundew.BytesOut10m:          30 * 4096,
		sundew.AgeSeconds:           90,
	} {
		if got := score.Features[feature]; got != want {
			t.Errorf("%s is %v, want %v", sundew.Catalogue[feature].Name, got, want)
		}
	}
}

func TestConfigValidate(t *testing.T) {
	for _, change := range []func(*Config){
		func(c *Config) { c.Entities = 1 },
		func(c *Config) { c.Workers = -1 },
		func(c *Config) { c.Prior = 0 },
		func(c *Config) { c.Prior = 1 },
		func(c *Config) { c.Quota.Device = -1 },
	} {
		c := DefaultConfig()
		change(&c)
		if c.Validate() == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}

func BenchmarkScore(b *testing.B) {
	events := traffic(8192)
	for _, workers := range []int{1, 2} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			e := newEngine(b, workers)
			b.ReportAllocs()
			for b.Loop() {
				e.Score(sundew.Batch{Events: events})
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(events)), "ns/event")
		})
	}
}

// TestReasonsAreTheLoudest compares with sorting all channels.
func TestReasonsAreTheLoudest(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	for range 1000 {
		s := stateOf(hot{Kind: uint8(sundew.KindIP), RateWeights: evenly})
		var want []float64
		for ch := range numChannels {
			*s.ledger(ch) = ledger(rng.ExpFloat64() * 2)
			if *s.ledger(ch) > 1 {
				want = append(want, s.ledger(ch).nats())
			}
		}
		slices.SortFunc(want, func(a, b float64) int { return cmp.Compare(b, a) })
		want = want[:min(len(want), maxReasons)]
		reasons := s.explain()
		var got []float64
		for _, r := range reasons {
			got = append(got, r.Nats)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("reasons of %v nats, want %v", got, want)
		}
	}
}

// stateOf is a state of no table.
func stateOf(h hot) *state {
	return &state{hot: &h, coldPart: new(cold), crowdPart: new(crowd), volumePart: new(volume), believed: &nothingLearned}
}

func withMembers(bitmaps map[int]uint64) *state {
	s := stateOf(hot{})
	for bitmap, members := range bitmaps {
		s.setMembers(bitmap, members)
	}
	return s
}

// liveTo brings a state of no table to a time, as its cell would.
func liveTo(s *state, second uint32) {
	s.advance(second)
	if day := dayOf(s.Last); day > s.Day {
		s.close(day, false)
	}
}
