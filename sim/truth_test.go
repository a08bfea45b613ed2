package sim_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"sundew"
	"sundew/sim"
)

// TestCampaignsAreWhatTruthSays checks both directions: each request of a campaign names one of its entities within its
// time, each of its entities is named, and nobody else names any.
func TestCampaignsAreWhatTruthSays(t *testing.T) {
	for _, intensity := range []float64{0.1, 0.5, 1} {
		t.Run("intensity "+strconv.FormatFloat(intensity, 'g', -1, 64), func(t *testing.T) {
			c := small(intensity)
			traffic := begin(t, c)
			truth := traffic.Truth()
			if len(truth.Campaigns) != len(c.Attacks) {
				t.Fatalf("%d campaigns of %d attacks", len(truth.Campaigns), len(c.Attacks))
			}
			owner := make(map[sundew.Entity]sim.Campaign)
			for _, campaign := range truth.Campaigns {
				for _, entity := range campaign.Entities {
					if other, taken := owner[entity]; taken {
						t.Errorf("%s and %s both claim %s", campaign.Name, other.Name, entity)
					}
					owner[entity] = campaign
				}
			}
			seen := make(map[sundew.Entity]bool)
			began := make(map[string]time.Time)
			for _, e := range all(t, traffic) {
				named := 0
				for _, entity := range e.AppendEntities(nil) {
					campaign, owned := owner[entity]
					if !owned {
						continue
					}
					named++
					seen[entity] = true
					if campaign.Name != e.Campaign {
						t.Fatalf("%s of %s is named by a request with the label %+v", entity, campaign.Name, e.Label)
					}
					if e.Time.Before(campaign.Start) || !e.Time.Before(campaign.End) {
						t.Fatalf("%s runs from %s to %s and has a request at %s", campaign.Name, campaign.Start, campaign.End, e.Time)
					}
				}
				if (named > 0) != (e.Campaign != "") || (e.Campaign != "") == (e.Segment != "") {
					t.Fatalf("a request with the label %+v names %d entities of attackers: %+v", e.Label, named, e.Event)
				}
				if _, known := began[e.Campaign]; !known {
					began[e.Campaign] = e.Time
				}
			}
			for entity, campaign := range owner {
				if !seen[entity] {
					t.Errorf("%s should act as %s and never did", campaign.Name, entity)
				}
			}
			for _, campaign := range truth.Campaigns {
				if !began[campaign.Name].Equal(campaign.Start) {
					t.Errorf("%s starts at %s and its first request is at %s", campaign.Name, campaign.Start, began[campaign.Name])
				}
			}
		})
	}
}

func TestTruthIsTheSameBeforeAndAfter(t *testing.T) {
	traffic := begin(t, small(0.7))
	before := traffic.Truth()
	all(t, traffic)
	if after := traffic.Truth(); !reflect.DeepEqual(before, after) {
		t.Error("Truth changed while the traffic was taken")
	}
}

func TestTruthAsJSON(t *testing.T) {
	want := begin(t, small(0.7)).Truth()
	var text bytes.Buffer
	if err := want.WriteJSON(&text); err != nil {
		t.Fatal(err)
	}
	var got sim.Truth
	if err := json.Unmarshal(text.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read back:\n%+v\nwritten:\n%+v", got, want)
	}
}

// TestSegmentsAreWhatTruthSays looks at a whole day, in which nearly everybody shows up.
func TestSegmentsAreWhatTruthSays(t *testing.T) {
	c := sim.DefaultConfig()
	c.Clients, c.Attacks = 300, nil
	traffic := begin(t, c)
	devices := make(map[string]map[string]bool) // of a segment
	behind := make(map[string]map[string]bool)  // devices behind an address
	requests := make(map[string]int)
	for _, e := range all(t, traffic) {
		requests[e.Segment]++
		if e.Device != "" {
			add(devices, e.Segment, e.Device)
			add(behind, e.Client.String(), e.Device)
		}
	}
	total := 0
	for _, segment := range traffic.Truth().Segments {
		total += segment.Clients
		if requests[segment.Name] == 0 {
			t.Errorf("segment %s has %d clients and sent nothing", segment.Name, segment.Clients)
		}
		seen := len(devices[segment.Name])
		if isApp := strings.HasPrefix(segment.Name, "app-"); isApp && (seen > segment.Clients || seen < segment.Clients*8/10) {
			t.Errorf("segment %s has %d clients and %d devices", segment.Name, segment.Clients, seen)
		} else if !isApp && segment.Name != "family" && seen > 0 {
			t.Errorf("segment %s has no app, and %d devices", segment.Name, seen)
		}
		if segment.Name != "app-carrier" && segment.Name != "app-office" {
			continue
		}
		crowd := 0
		for _, entity := range segment.Shared {
			crowd = max(crowd, len(behind[entity.Key]))
		}
		if crowd < 5 || crowd > 50 {
			t.Errorf("segment %s has at most %d devices behind one address, want 5 to 50", segment.Name, crowd)
		}
	}
	if total != c.Clients+4 {
		t.Errorf("%d clients in segments, want %d people, two partners, a crawler and a monitor", total, c.Clients)
	}
}

func add(sets map[string]map[string]bool, key, member string) {
	if sets[key] == nil {
		sets[key] = make(map[string]bool)
	}
	sets[key][member] = true
}

func TestLabelOfSurvivesTheLog(t *testing.T) {
	c := small(0.7)
	reader := begin(t, c)
	for _, e := range all(t, begin(t, c)) {
		fromLog := sundew.Event{RequestID: e.RequestID}
		if got := reader.LabelOf(fromLog); got != e.Label {
			t.Fatalf("LabelOf %q is %+v, want %+v", e.RequestID, got, e.Label)
		}
	}
}

func TestLabelOfForeignEvents(t *testing.T) {
	c := small(0.7)
	own := all(t, begin(t, c))[0].RequestID
	c.Seed++
	traffic := begin(t, c)
	for _, test := range []struct{ story, id string }{
		{"no request id", ""},
		{"too short", own[:31]},
		{"too long", own + "0"},
		{"not hexadecimal", "z" + own[1:]},
		{"another seed's", own},
		{"another tool's trace id", "4bf92f3577b34da6a3ce929d0e0e4736"},
	} {
		t.Run(test.story, func(t *testing.T) {
			if got := traffic.LabelOf(sundew.Event{RequestID: test.id}); got != (sim.Label{}) {
				t.Errorf("label %+v", got)
			}
		})
	}
}

func FuzzLabelOf(f *testing.F) {
	traffic, err := sim.New(small(0.7))
	if err != nil {
		f.Fatal(err)
	}
	e, _, err := traffic.NextLabelled(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(e.RequestID)
	f.Add("")
	f.Add("4bf92f3577b34da6a3ce929d0e0e4736")
	f.Fuzz(func(t *testing.T, id string) {
		label := traffic.LabelOf(sundew.Event{RequestID: id})
		if label.Campaign != "" && label.Segment != "" {
			t.Errorf("%q is of a campaign and of a segment: %+v", id, label)
		}
	})
}

// TestDemoIsVisibleFromTheStart checks what somebody who watches sees: an attack every ten seconds from the tenth on,
// all within 90 seconds, then again from addresses that no campaign of the day had before.
func TestDemoIsVisibleFromTheStart(t *testing.T) {
	start := time.Date(2026, time.March, 1, 9, 30, 0, 0, time.UTC)
	c := sim.Demo(start)
	if c.Duration != 24*time.Hour {
		t.Errorf("the demonstration lasts %s", c.Duration)
	}
	campaigns := begin(t, c).Truth().Campaigns
	for i := range c.Attacks {
		if want := start.Add(time.Duration(i+1) * 10 * time.Second); !campaigns[i].Start.Equal(want) {
			t.Errorf("%s starts at %s, want %s", campaigns[i].Name, campaigns[i].Start, want)
		}
	}
	used := make(map[sundew.Entity]string)
	for _, campaign := range campaigns {
		for _, entity := range campaign.Entities {
			if before := used[entity]; before != "" {
				t.Fatalf("%s is used by %s and again by %s", entity, before, campaign.Name)
			}
			used[entity] = campaign.Name
		}
	}

	c.Duration = 90 * time.Second
	requests := make(map[string]int)
	for _, e := range all(t, begin(t, c)) {
		requests[e.Campaign]++
	}
	for _, campaign := range campaigns[:len(c.Attacks)] {
		if requests[campaign.Name] < 20 {
			t.Errorf("%s made only %d requests in 90 seconds", campaign.Name, requests[campaign.Name])
		}
	}
	if legitimate := requests[""]; legitimate < 200 {
		t.Errorf("only %d requests of visitors in 90 seconds", legitimate)
	}
}
