package rules

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"sundew"
)

type sundewScore = sundew.Score

const policyText = `apiVersion: sundew/v1
kind: Policy
id: p
entity: ip
ladder:
  - { at: 30, do: observe, ttl: 30m }
  - { at: 50, do: tarpit, delay: { min: 500ms, per_point: 100ms, max: 8s }, ttl: 10m }
  - { at: 75, do: challenge, ttl: 30m }
  - { at: 90, nats: 10, do: block, ttl: 1h, escalate: { factor: 4, max: 24h, memory: 7d } }
hysteresis: 8
min_evidence: { events: 20 }
`

// said is a decision as the tables below write it.
func said(d sundew.Decision) string {
	text := fmt.Sprintf("%s %s %s", d.Time.Sub(start), d.Action, d.Expires.Sub(d.Time))
	if d.Delay > 0 {
		text += " delay " + d.Delay.String()
	}
	if d.Shadow {
		text += " shadow"
	}
	return text
}

func decisions(ds []sundew.Decision) []string {
	var all []string
	for _, d := range ds {
		all = append(all, said(d))
	}
	return all
}

func TestScoreClimbsTheLadder(t *testing.T) {
	type at struct {
		time   time.Duration
		points float64
	}
	tests := map[string]struct {
		scores []at
		want   []string
	}{
		"below the ladder nothing is said": {[]at{{0, 29}}, nil},
		"each rung is said once": {
			[]at{{0, 30}, {time.Second, 31}, {2 * time.Second, 50}, {3 * time.Second, 80}, {4 * time.Second, 81}},
			[]string{"0s observe 30m0s", "2s tarpit 10m0s delay 500ms", "3s challenge 30m0s"},
		},
		"rungs may be skipped": {[]at{{0, 95}}, []string{"0s block 1h0m0s"}},
		"a delay is said again when it has grown by a quarter": {
			[]at{{0, 50}, {time.Second, 51}, {2 * time.Second, 52}, {3 * time.Second, 60}},
			[]string{"0s tarpit 10m0s delay 500ms", "2s tarpit 10m0s delay 700ms", "3s tarpit 10m0s delay 1.5s"},
		},
		"a rung is said again in the second half of its time": {
			[]at{{0, 80}, {14 * time.Minute, 80}, {16 * time.Minute, 80}, {17 * time.Minute, 80}},
			[]string{"0s challenge 30m0s", "16m0s challenge 30m0s"},
		},
		"a rung is left some points below its entry": {
			[]at{{0, 75}, {20 * time.Minute, 68}, {21 * time.Minute, 66}, {60 * time.Minute, 68}},
			[]string{"0s challenge 30m0s", "20m0s challenge 30m0s", "1h0m0s tarpit 10m0s delay 2.3s"},
		},
		"a milder rung does not undo a harder one that is in force": {
			[]at{{0, 80}, {time.Minute, 50}, {2 * time.Minute, 30}},
			[]string{"0s challenge 30m0s"},
		},
		"after the end it starts over": {
			[]at{{0, 80}, {31 * time.Minute, 40}},
			[]string{"0s challenge 30m0s", "31m0s observe 30m0s"},
		},
		"who comes back stays longer, until it is forgotten": {
			[]at{{0, 95}, {2 * time.Hour, 95}, {8 * time.Hour, 95}, {30 * time.Hour, 95}, {30 * 24 * time.Hour, 95}},
			[]string{
				"0s block 1h0m0s", "2h0m0s block 4h0m0s", "8h0m0s block 16h0m0s", "30h0m0s block 24h0m0s",
				"720h0m0s block 1h0m0s",
			},
		},
		"a refresh is not a return": {
			[]at{{0, 95}, {40 * time.Minute, 95}, {80 * time.Minute, 95}},
			[]string{"0s block 1h0m0s", "40m0s block 1h0m0s", "1h20m0s block 1h0m0s"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			engine := NewEngine(setOf(t, map[string]string{"p.yaml": policyText}), DefaultConfig())
			var got []string
			for _, at := range test.scores {
				for _, d := range engine.Decide([]sundew.Score{scored(at.time, at.points)}) {
					if d.Basis != sundew.BasisScore || !strings.HasPrefix(d.Rule, "p@") || d.Score != at.points {
						t.Errorf("basis %q, rule %q, score %v", d.Basis, d.Rule, d.Score)
					}
					got = append(got, said(d))
				}
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

// TestLittleEvidenceSlowsAtMost: few requests, or a posterior without the evidence behind it, are no ground for a block.
func TestLittleEvidenceSlowsAtMost(t *testing.T) {
	few := scored(0, 95)
	few.Features[sundew.Requests1h] = 19
	thin := scored(0, 95)
	thin.Nats = 9.9
	for name, test := range map[string]struct {
		score sundew.Score
		want  sundew.Action
	}{
		"few requests": {few, sundew.ActionTarpit},
		"thin":         {thin, sundew.ActionChallenge},
		"enough":       {scored(0, 95), sundew.ActionBlock},
	} {
		t.Run(name, func(t *testing.T) {
			ds := NewEngine(setOf(t, map[string]string{"p.yaml": policyText}), DefaultConfig()).Decide([]sundew.Score{test.score})
			if len(ds) != 1 || ds[0].Action != test.want {
				t.Errorf("got %v, want %s", decisions(ds), test.want)
			}
		})
	}
}

func ruleText(id, when, rest string) string {
	return strings.NewReplacer("id: sample", "id: "+id, "ip.requests_1m > 10.0", when, "score: { add: 40 }\n", rest).Replace(minimalRule)
}

func TestPointsOfRules(t *testing.T) {
	a := ruleText("a", "url.path.contains('a')", "score: { add: 40, half_life: 10m, max: 90 }\nexplain: 'asked for {{url.path}}'\n")
	tests := map[string]struct {
		files  map[string]string
		events []sundew.Score
		want   []string
	}{
		"one match": {
			map[string]string{"a.yaml": a},
			[]sundew.Score{request(0, "/a")},
			[]string{"0s observe 30m0s"},
		},
		"matches combine as independent reasons": {
			map[string]string{"a.yaml": a},
			[]sundew.Score{request(0, "/a"), request(time.Second, "/a")},
			[]string{"0s observe 30m0s", "1s tarpit 10m0s delay 1.897s"},
		},
		"rules combine as independent reasons": {
			map[string]string{"a.yaml": a, "b.yaml": ruleText("b", "url.path.contains('b')", "score: { add: 20 }\n")},
			[]sundew.Score{request(0, "/ab")},
			[]string{"0s tarpit 10m0s delay 700ms"},
		},
		"points decay": {
			map[string]string{"a.yaml": a},
			[]sundew.Score{request(0, "/a"), request(40*time.Minute, "/a")},
			[]string{"0s observe 30m0s", "40m0s observe 30m0s"},
		},
		"a rule adds again only after a while": {
			map[string]string{"a.yaml": strings.Replace(a, "max: 90", "max: 90, every: 1m", 1)},
			[]sundew.Score{request(0, "/a"), request(time.Second, "/a"), request(2*time.Second, "/a")},
			[]string{"0s observe 30m0s"},
		},
		"a rule has a most": {
			map[string]string{"a.yaml": strings.Replace(a, "max: 90", "max: 45", 1)},
			[]sundew.Score{request(0, "/a"), request(time.Second, "/a"), request(2*time.Second, "/a")},
			[]string{"0s observe 30m0s"},
		},
		"a rule that may only observe leads no further, and drags nobody along": {
			map[string]string{"a.yaml": a + "action: { max: observe }\n", "b.yaml": ruleText("b", "url.path.contains('b')", "score: { add: 20 }\n")},
			[]sundew.Score{request(0, "/ab"), request(time.Second, "/a"), request(2*time.Second, "/a")},
			[]string{"0s observe 30m0s"},
		},
		"a ladder of its own": {
			map[string]string{"a.yaml": a + "action: { ladder: [{ at: 40, do: tarpit, delay: 2s, ttl: 5m }] }\n"},
			[]sundew.Score{request(0, "/a")},
			[]string{"0s tarpit 5m0s delay 2s"},
		},
		"a ladder of its own does not bypass the policy": {
			map[string]string{"a.yaml": a + "action: { ladder: [{ at: 40, do: block, ttl: 5m }] }\n"},
			[]sundew.Score{request(0, "/a")},
			nil,
		},
		"a condition must have held for a while": {
			map[string]string{"a.yaml": a + "for: 30s\n"},
			[]sundew.Score{
				request(0, "/a"), request(20*time.Second, "/x"), request(25*time.Second, "/a"), request(40*time.Second, "/a"),
				request(55*time.Second, "/a"),
			},
			[]string{"55s observe 30m0s"},
		},
		"drafts and disabled rules do nothing": {
			map[string]string{
				"a.yaml": strings.Replace(a, "status: active", "status: draft", 1),
				"b.yaml": strings.Replace(ruleText("b", "url.path.contains('a')", "score: { add: 90 }\n"), "status: active", "status: disabled", 1),
			},
			[]sundew.Score{request(0, "/a")},
			nil,
		},
		"an exemption": {
			map[string]string{"a.yaml": a + "unless: [\"http.request.method == 'GET'\"]\n"},
			[]sundew.Score{request(0, "/a")},
			nil,
		},
		"outside the scope": {
			map[string]string{"a.yaml": a + "scope: { methods: [POST] }\n"},
			[]sundew.Score{request(0, "/a")},
			nil,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.files["p.yaml"] = policyText
			ds := NewEngine(setOf(t, test.files), DefaultConfig()).Decide(test.events)
			if got := decisions(ds); !reflect.DeepEqual(got, test.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
			for _, d := range ds {
				if d.Basis != sundew.BasisPoints || strings.HasPrefix(d.Rule, "p@") {
					t.Errorf("basis %q, rule %q", d.Basis, d.Rule)
				}
			}
		})
	}
}

// TestReasonsAreNotMixed: 45 points of score and 40 of a rule are neither 67 of the one nor of the other.
func TestReasonsAreNotMixed(t *testing.T) {
	set := setOf(t, map[string]string{"p.yaml": policyText, "a.yaml": ruleText("a", "url.path == '/a'", "score: { add: 40 }\n")})
	s := scored(0, 45)
	s.Event.Path = "/a"
	ds := NewEngine(set, DefaultConfig()).Decide([]sundew.Score{s})
	if got := decisions(ds); !reflect.DeepEqual(got, []string{"0s observe 30m0s"}) {
		t.Fatalf("got %v", got)
	}
	s.Points, s.Nats = 60, 12
	ds = NewEngine(set, DefaultConfig()).Decide([]sundew.Score{s})
	if len(ds) != 1 || ds[0].Basis != sundew.BasisScore || ds[0].Action != sundew.ActionTarpit || ds[0].Score != 60 {
		t.Fatalf("got %v, basis %v", decisions(ds), ds[0].Basis)
	}
}

// TestShadowIsNeverEnforced: a shadow rule says what would be, and lends nothing to the rules that act.
func TestShadowIsNeverEnforced(t *testing.T) {
	shadow := strings.Replace(ruleText("s", "url.path.contains('a')", "score: { add: 99 }\n"), "status: active", "status: shadow", 1)
	set := setOf(t, map[string]string{"p.yaml": policyText, "s.yaml": shadow, "a.yaml": ruleText("a", "url.path.contains('a')", "score: { add: 40 }\n")})
	engine := NewEngine(set, DefaultConfig())
	var ds []sundew.Decision
	for i := range 5 {
		s := request(time.Duration(i)*time.Second, "/a")
		s.Features[sundew.Requests1h] = 100
		if i > 0 {
			s.Event.Path = "/none"
		}
		ds = append(ds, engine.Decide([]sundew.Score{s})...)
	}
	want := []string{"0s observe 30m0s", "0s block 1h0m0s shadow"}
	if got := decisions(ds); !reflect.DeepEqual(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	if ds[1].RuleID() != "s" || ds[0].RuleID() != "a" || ds[1].Version <= ds[0].Version {
		t.Errorf("rules %s, %s; versions %d, %d", ds[0].Rule, ds[1].Rule, ds[0].Version, ds[1].Version)
	}
	for _, ev := range ds[0].Evidence {
		if ev.Channel == "rule:s" {
			t.Error("the shadow rule's points stand among the reasons of an active decision")
		}
	}
}

const allowText = `apiVersion: sundew/v1
kind: List
id: friends
owner: team
purpose: allow
entries:
  - { entity: "ip:192.0.2.1", reason: monitor, expires: 2026-03-02 }
  - { entity: "prefix:198.51.100.0/25", reason: office, expires: 2026-03-02 }
  - { entity: "account:alice", reason: tester, expires: 2026-03-02 }
  - { entity: "asn:64500", reason: partner, expires: 2026-03-02 }
`

// TestAllowedEntitiesAreObservedAtMost, and so is a network that an allowed address lies in.
func TestAllowedEntitiesAreObservedAtMost(t *testing.T) {
	files := map[string]string{"friends.yaml": allowText}
	for _, kind := range []string{"ip", "prefix", "account", "device"} {
		files[kind+".yaml"] = strings.NewReplacer("id: p", "id: "+kind, "entity: ip", "entity: "+kind).Replace(policyText)
	}
	set := setOf(t, files)
	of := func(at time.Duration, entity string, asn uint32) sundew.Score {
		s := scored(at, 95)
		s.Entity, _ = sundew.ParseEntity(entity)
		s.Event.ASN = asn
		return s
	}
	for name, test := range map[string]struct {
		score sundew.Score
		want  sundew.Action
	}{
		"named address":                  {of(0, "ip:192.0.2.1", 0), sundew.ActionObserve},
		"another address":                {of(0, "ip:192.0.2.2", 0), sundew.ActionBlock},
		"address in a named network":     {of(0, "ip:198.51.100.7", 0), sundew.ActionObserve},
		"address beside it":              {of(0, "ip:198.51.100.200", 0), sundew.ActionBlock},
		"network of a named address":     {of(0, "prefix:192.0.2.0/24", 0), sundew.ActionObserve},
		"network around a named network": {of(0, "prefix:198.51.100.0/24", 0), sundew.ActionObserve},
		"another network":                {of(0, "prefix:203.0.113.0/24", 0), sundew.ActionBlock},
		"account":                        {of(0, "account:alice", 0), sundew.ActionObserve},
		"device by the same word":        {of(0, "device:alice", 0), sundew.ActionBlock},
		"address of a named system":      {of(0, "ip:203.0.113.9", 64500), sundew.ActionObserve},
		"after the end of the entry":     {of(24*time.Hour, "ip:192.0.2.1", 0), sundew.ActionBlock},
	} {
		t.Run(name, func(t *testing.T) {
			ds := NewEngine(set, DefaultConfig()).Decide([]sundew.Score{test.score})
			if len(ds) != 1 || ds[0].Action != test.want {
				t.Errorf("got %v, want %s", decisions(ds), test.want)
			}
		})
	}
	if got := len(set.AllowList(start)); got != 4 {
		t.Errorf("%d entities on the allow-list, want 4", got)
	}
	if got := set.AllowList(start.Add(24 * time.Hour)); len(got) != 0 {
		t.Errorf("%v on the allow-list after its end", got)
	}
}

func TestNeverAbove(t *testing.T) {
	list := strings.NewReplacer("id: friends", "id: offices", "purpose: allow", "purpose: tag").Replace(allowText)
	set := setOf(t, map[string]string{"p.yaml": policyText + "never_above: { lists.offices: tarpit }\n", "offices.yaml": list})
	ds := NewEngine(set, DefaultConfig()).Decide([]sundew.Score{scored(0, 95)})
	if len(ds) != 1 || ds[0].Action != sundew.ActionTarpit {
		t.Errorf("got %v", decisions(ds))
	}
	if set.Allowed(sundew.Entity{Kind: sundew.KindIP, Key: "192.0.2.1"}, start) {
		t.Error("a list of purpose tag allows")
	}
}

func TestSharedEntitiesAreCapped(t *testing.T) {
	set := setOf(t, map[string]string{"p.yaml": policyText + "shared: { devices: 3, max: tarpit }\n"})
	for devices, want := range map[float64]sundew.Action{
		0: sundew.ActionBlock, 2: sundew.ActionBlock, 3: sundew.ActionTarpit, 30: sundew.ActionTarpit,
	} {
		s := scored(0, 95)
		s.Features[sundew.TenuredDevices24h] = devices
		ds := NewEngine(set, DefaultConfig()).Decide([]sundew.Score{s})
		if len(ds) != 1 || ds[0].Action != want {
			t.Errorf("%v tenured devices: got %v, want %s", devices, decisions(ds), want)
		}
	}
}

// TestNetworksOfALengthHaveTheirPolicy has one policy for networks, and one for those of one subscriber.
func TestNetworksOfALengthHaveTheirPolicy(t *testing.T) {
	network := strings.Replace(policyText, "entity: ip", "entity: prefix", 1)
	set := setOf(t, map[string]string{
		"p.yaml": network + "shared: { devices: 1, max: observe }\n",
		"q.yaml": strings.Replace(strings.Replace(network, "id: p", "id: q", 1), "entity: prefix", "entity: prefix\nlength: 64", 1),
	})
	for key, want := range map[string]sundew.Action{
		"192.0.2.0/24":      sundew.ActionObserve,
		"2001:db8::/48":     sundew.ActionObserve,
		"2001:db8:64::/48":  sundew.ActionObserve,
		"2001:db8:0:1::/64": sundew.ActionBlock,
	} {
		s := scored(0, 95)
		s.Entity = sundew.Entity{Kind: sundew.KindPrefix, Key: key}
		s.Features[sundew.TenuredDevices24h] = 2
		ds := NewEngine(set, DefaultConfig()).Decide([]sundew.Score{s})
		if len(ds) != 1 || ds[0].Action != want {
			t.Errorf("%s: %v, want %s", key, decisions(ds), want)
		}
	}
}

// TestATenuredDeviceAnswersForItself gives points to a shared address for what others do there.
func TestATenuredDeviceAnswersForItself(t *testing.T) {
	set := setOf(t, map[string]string{
		"p.yaml": policyText + "shared: { devices: 3, max: tarpit }\n",
		"a.yaml": ruleText("a", "url.path.contains('a')", "score: { add: 95, half_life: 10m }\n"),
	})
	for _, test := range []struct {
		devices float64 // tenured ones behind the address
		device  string
		age     time.Duration
		want    int
	}{
		{3, "d-1", sundew.Tenure, 0},
		{3, "d-1", sundew.Tenure - 1, 1},
		{3, "d-1", -1, 1},
		{3, "", -1, 1},
		{2, "d-1", sundew.Tenure, 1},
	} {
		s := request(0, "/a")
		s.Features[sundew.TenuredDevices24h] = test.devices
		s.Event.Device, s.Event.DeviceAge = test.device, test.age
		if ds := NewEngine(set, DefaultConfig()).Decide([]sundew.Score{s}); len(ds) != test.want {
			t.Errorf("%+v: %v", test, decisions(ds))
		}
	}
}

// TestDecisionExplainsItself reads the whole record of one decision.
func TestDecisionExplainsItself(t *testing.T) {
	set := setOf(t, map[string]string{
		"p.yaml": policyText,
		"a.yaml": ruleText("a", "url.path.contains('a')", "score: { add: 60, half_life: 10m }\nexplain: 'asked for {{url.path}}, limit {{params.n}}, {{ip.requests_1h}} requests'\nparams: { n: { type: int, value: 7 } }\n"),
	})
	s := request(0, "/a\"\n\u202e"+strings.Repeat("x", 500))
	s.Evidence = []sundew.Evidence{{Channel: "rate", Nats: 2, Sentence: "a bit fast"}}
	d := NewEngine(set, DefaultConfig()).Decide([]sundew.Score{s})[0]
	if err := d.Validate(); err != nil {
		t.Fatal(err)
	}
	rule := set.Rules()[0]
	wantSentence := `asked for "/a\"\n\u202e` + strings.Repeat("x", 73) + `…", limit 7, 1 requests`
	if d.Sentence != wantSentence {
		t.Errorf("sentence\n%s, want\n%s", d.Sentence, wantSentence)
	}
	if d.Rule != "a@"+rule.Version || d.Version != s.Time.UnixMicro() || d.ID != sundew.DecisionID(d.Rule, d.Entity, d.Version) {
		t.Errorf("rule %q, version %d, id %s", d.Rule, d.Version, d.ID)
	}
	if len(d.Evidence) != 2 || d.Evidence[0].Channel != "rule:a" || d.Evidence[0].Observed != 60 || d.Evidence[0].Nats != 0 || d.Evidence[1].Channel != "rate" {
		t.Errorf("evidence %+v", d.Evidence)
	}
}

// TestTableIsBounded: when it is full, who has been quiet for longest is forgotten.
func TestTableIsBounded(t *testing.T) {
	engine := NewEngine(setOf(t, map[string]string{"p.yaml": policyText}), Config{MaxEntities: 2})
	of := func(at time.Duration, key string) sundew.Score {
		s := scored(at, 80)
		s.Entity.Key = key
		return s
	}
	got := engine.Decide([]sundew.Score{
		of(0, "192.0.2.1"), of(1, "192.0.2.2"), of(2, "192.0.2.1"), of(3, "192.0.2.3"),
		of(4, "192.0.2.1"), // known still: not news
		of(5, "192.0.2.2"), // forgotten: news again
	})
	var keys []string
	for _, d := range got {
		keys = append(keys, d.Entity.Key)
	}
	if want := []string{"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.2"}; !reflect.DeepEqual(keys, want) {
		t.Errorf("got %v, want %v", keys, want)
	}
	if s := engine.Stats(); s.Entities != 2 || s.Forgotten != 2 {
		t.Errorf("got %+v", s)
	}
}

func TestSpentRecordsAreDropped(t *testing.T) {
	engine := NewEngine(setOf(t, map[string]string{"p.yaml": policyText}), DefaultConfig())
	old := scored(0, 80)
	old.Entity.Key = "192.0.2.200"
	engine.Decide([]sundew.Score{old, scored(time.Minute, 80), scored(time.Hour, 80)})
	if got := engine.Stats().Entities; got != 1 {
		t.Errorf("%d entities, want 1", got)
	}
}

// TestVersionsRise even where events come out of order.
func TestVersionsRise(t *testing.T) {
	engine := NewEngine(setOf(t, map[string]string{"p.yaml": policyText}), DefaultConfig())
	ds := engine.Decide([]sundew.Score{scored(time.Hour, 35), scored(0, 55), scored(0, 80)})
	for i := 1; i < len(ds); i++ {
		if ds[i].Version <= ds[i-1].Version {
			t.Errorf("version %d follows %d", ds[i].Version, ds[i-1].Version)
		}
	}
	if len(ds) != 3 {
		t.Errorf("got %v", decisions(ds))
	}
}
