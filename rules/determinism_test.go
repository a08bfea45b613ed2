package rules

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"strconv"
	"testing"
	"time"

	"sundew"
)

// traffic is a seeded stream of scores of a few dozen addresses, some of them up to no good, now and then out of order.
func traffic(n int) []sundew.Score {
	random := rand.New(rand.NewPCG(1, 2))
	paths := []string{"/", "/v1/orders/7", "/.env", "/wp-login.php", "/a/../b", "/index.php", "/cgi-bin/..%2f..%2fetc/passwd", "/%24%7Bjndi:ldap://x%7D"}
	scores := make([]sundew.Score, n)
	for i := range scores {
		at := time.Duration(i)*2*time.Second - time.Duration(random.IntN(3))*time.Second
		s := request(at, paths[random.IntN(len(paths))])
		s.Event.Status = []int{200, 404, 401, 429}[random.IntN(4)]
		s.Entity.Key = "192.0.2." + strconv.Itoa(random.IntN(40))
		if random.IntN(10) == 0 {
			s.Entity = sundew.Entity{Kind: sundew.KindDevice, Key: "d" + strconv.Itoa(random.IntN(5))}
			s.Event.Attestation = sundew.ProofMissing
		}
		s.Points = random.Float64() * 100
		s.Nats = random.Float64() * 15
		for f := range s.Features {
			s.Features[f] = float64(random.IntN(30))
		}
		scores[i] = s
	}
	return scores
}

func decideAll(engine *Engine, scores []sundew.Score, batch int) []sundew.Decision {
	var all []sundew.Decision
	for len(scores) > 0 {
		n := min(batch, len(scores))
		all = append(all, engine.Decide(scores[:n])...)
		scores = scores[n:]
	}
	return all
}

// TestBatchesDoNotMatter: the same scores give the same decisions and the same state however they are cut, even while
// the table is too small for them.
func TestBatchesDoNotMatter(t *testing.T) {
	set, scores := starter(t), traffic(3000)
	for _, limits := range []Config{DefaultConfig(), {MaxEntities: 15}} {
		want := NewEngine(set, limits)
		wanted := decideAll(want, scores, len(scores))
		if len(wanted) < 100 {
			t.Fatalf("only %d decisions: the traffic is too tame to tell anything", len(wanted))
		}
		for _, batch := range []int{1, 7, 512} {
			got := NewEngine(set, limits)
			if ds := decideAll(got, scores, batch); !reflect.DeepEqual(ds, wanted) {
				t.Errorf("batches of %d: %d decisions, want %d equal ones", batch, len(ds), len(wanted))
			}
			if !bytes.Equal(got.AppendState(nil), want.AppendState(nil)) {
				t.Errorf("batches of %d leave another state", batch)
			}
		}
	}
}

// TestRestoredEngineGoesOn as if it had never stopped.
func TestRestoredEngineGoesOn(t *testing.T) {
	set, scores := starter(t), traffic(3000)
	limits := Config{MaxEntities: 15}
	straight := NewEngine(set, limits)
	want := decideAll(straight, scores, 100)
	for _, at := range []int{0, 1, 777, 2999} {
		first := NewEngine(set, limits)
		got := decideAll(first, scores[:at], 100)
		state := first.AppendState([]byte("before"))
		second := NewEngine(set, limits)
		if err := second.RestoreState(state[len("before"):]); err != nil {
			t.Fatal(err)
		}
		if again := second.AppendState(nil); !bytes.Equal(again, state[len("before"):]) {
			t.Errorf("restored at %d: the state differs from the one that was saved", at)
		}
		got = append(got, decideAll(second, scores[at:], 100)...)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("restored at %d: other decisions follow", at)
		}
		if !bytes.Equal(second.AppendState(nil), straight.AppendState(nil)) {
			t.Errorf("restored at %d: another state follows", at)
		}
	}
}

func TestDamagedStateIsRefused(t *testing.T) {
	engine := NewEngine(starter(t), DefaultConfig())
	decideAll(engine, traffic(300), 100)
	state := engine.AppendState(nil)
	for n := 0; n < len(state); n += 1 + n/200 {
		if err := engine.RestoreState(state[:n]); err == nil {
			t.Fatalf("the first %d of %d bytes were taken for a state", n, len(state))
		}
		if engine.Stats().Entities != 0 {
			t.Fatal("something is left after an error")
		}
	}
}

// TestStateOutlivesRules: points of a rule that is gone are dropped, the rest stays.
func TestStateOutlivesRules(t *testing.T) {
	two := map[string]string{
		"p.yaml": policyText,
		"a.yaml": ruleText("a", "url.path.contains('a')", "score: { add: 40 }\n"),
		"b.yaml": ruleText("b", "url.path.contains('b')", "score: { add: 40 }\n"),
	}
	engine := NewEngine(setOf(t, two), DefaultConfig())
	engine.Decide([]sundew.Score{request(0, "/ab")})
	state := engine.AppendState(nil)
	delete(two, "b.yaml")
	engine = NewEngine(setOf(t, two), DefaultConfig())
	if err := engine.RestoreState(state); err != nil {
		t.Fatal(err)
	}
	ds := engine.Decide([]sundew.Score{request(time.Hour, "/x"), request(time.Hour, "/a")})
	if len(ds) != 1 || ds[0].Action != sundew.ActionObserve {
		t.Errorf("got %v", decisions(ds))
	}
}

func FuzzRestoreState(f *testing.F) {
	set := starter(f)
	engine := NewEngine(set, DefaultConfig())
	decideAll(engine, traffic(50), 50)
	f.Add(engine.AppendState(nil))
	f.Fuzz(func(_ *testing.T, state []byte) {
		engine := NewEngine(set, Config{MaxEntities: 5})
		if engine.RestoreState(state) == nil {
			decideAll(engine, traffic(20), 20)
			engine.AppendState(nil)
		}
	})
}
