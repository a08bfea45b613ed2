package quality

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"
	"testing"

	"sundew"
	"sundew/rules"
)

func TestDbgPower(t *testing.T) {
	c := DefaultConfig()
	c.Clients, c.Days, c.Seeds = 1000, 5, 1
	c.Intensities = []float64{.2}
	if os.Getenv("INT") == "0.5" { c.Intensities = []float64{.5} }
	set, _ := rules.Load(rules.Starter(), "")
	seed := uint64(1)
	if os.Getenv("SEED") != "" { seed = uint64(os.Getenv("SEED")[0]-48) }
	if os.Getenv("ALL") != "" { c.Intensities = []float64{.2,.5,.9} }
	r, err := newRun(c, seed, set)
	if err != nil {
		t.Fatal(err)
	}
	best := map[string]sundew.Score{}
	n := map[string]int{}
	isBad := map[string]bool{}
	legit := map[string]float64{}
	for {
		b, err := r.traffic.Next(context.Background())
		if errors.Is(err, io.EOF) {
			break
		}
		scores := r.scorer.Score(b)
		for i := range b.Events {
			k := scoresOf(scores, &b.Events[i])
			l := r.traffic.LabelOf(b.Events[i])
			for _, s := range scores[:k] {
				if l.Campaign == "" {
					for _, x := range s.Evidence { legit[x.Channel] = max(legit[x.Channel], x.Nats) }
					if key := l.Segment + " " + s.Entity.String(); natsOf(&s) > 7.5 && natsOf(&s) > legit[key]+.5 && !isBad[s.Entity.String()] {
						legit[key] = natsOf(&s)
						line := fmt.Sprintf("LEGIT seed %d %s %s %s %s %.1f:", seed, s.Time, key, b.Events[i].Method, b.Events[i].Path, natsOf(&s))
						for _, x := range s.Evidence { line += fmt.Sprintf(" [%s %.1f %s]", x.Channel, x.Nats, x.Sentence) }
						t.Log(line)
					}
					continue
				}
				isBad[s.Entity.String()] = true
				key := l.Campaign + " " + s.Entity.Kind.String()
				n[key]++
				if natsOf(&s) > natsOf(ptr(best[key])) {
					s.Evidence = append([]sundew.Evidence(nil), s.Evidence...)
					best[key] = s
				}
			}
			scores = scores[k:]
		}
	}
	var keys []string
	for k := range n {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		ok := false
		for _, a := range []string{"scraping", "fake-acc", "flood", "scalp", "inventory", "review", "aggreg", "sms", "reset"} {
			ok = ok || strings.Contains(k, a)
		}
		if !ok {
			continue
		}
		s := best[k]
		line := fmt.Sprintf("%s n=%d %.1f pts %.1f nats:", k, n[k], s.Points, natsOf(&s))
		for _, x := range s.Evidence {
			line += fmt.Sprintf(" [%s %.1f %s]", x.Channel, x.Nats, x.Sentence)
		}
		t.Log(line)
	}
	t.Log(legit)
}

func ptr(s sundew.Score) *sundew.Score { return &s }
