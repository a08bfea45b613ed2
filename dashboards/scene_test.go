package dashboards

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"sundew"
)

// sceneNow is the clock of the tests.
var sceneNow = time.Date(2026, 3, 14, 11, 42, 17, 0, time.UTC)

// scene is an hour of an API's traffic: shoppers, one address that stuffs credentials, one device that enumerates
// orders, and a scanner that is blocked.
func scene() *memory {
	m := &memory{scores: map[sundew.Entity][]sundew.ScorePoint{}}
	rng := rand.New(rand.NewPCG(1, 2))
	start := sceneNow.Add(-65 * time.Minute)
	m.shoppers(rng, start)
	m.stuffing(rng)
	m.enumeration()
	m.scanner()
	m.unreadable()
	slices.SortStableFunc(m.events, func(a, b sundew.Event) int { return a.Time.Compare(b.Time) })
	slices.SortStableFunc(m.decided, func(a, b sundew.Decision) int { return a.Time.Compare(b.Time) })
	m.list.Cursor = sundew.Cursor{Epoch: "k3f9", Seq: 41}
	held := map[string]sundew.Decision{}
	for _, d := range m.decided {
		held[d.Key()] = d
	}
	for _, key := range slices.Sorted(maps.Keys(held)) {
		if d := held[key]; sceneNow.Before(d.Expires) {
			m.list.Decisions = append(m.list.Decisions, d)
		}
	}
	return m
}

func request(t time.Time, client, method, path string, status int) sundew.Event {
	e := sundew.NewEvent()
	e.Time, e.Client, e.Method, e.Path, e.Status = t, netip.MustParseAddr(client), method, path, status
	e.Host, e.Duration, e.Gateway = "api.shop.example", 38*time.Millisecond, "gw-eu-1"
	return e
}

func (m *memory) shoppers(rng *rand.Rand, start time.Time) {
	paths := []string{"/v2/catalog", "/v2/catalog/4711", "/v2/cart", "/v2/orders/88121", "/v2/profile", "/v2/search"}
	agents := []string{"ShopApp/8.2.1 (iPhone15,4; iOS 19.1)", "ShopApp/8.2.0 (Pixel 9; Android 16)", "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0"}
	for t := start; t.Before(sceneNow); {
		n := rng.IntN(40)
		e := request(t, fmt.Sprintf("203.0.113.%d", 10+n), "GET", paths[rng.IntN(len(paths))], 200)
		e.UserAgent, e.Account, e.Device = agents[n%3], fmt.Sprintf("u-%d", 90210+n), fmt.Sprintf("7c1e44f0-%04x", 4096+n)
		switch rng.IntN(60) {
		case 0:
			e.Status = 404
		case 1:
			e.Status = 503
		}
		m.events = append(m.events, e)
		wave := 1 + .5*math.Sin(t.Sub(start).Minutes()/9)
		t = t.Add(time.Duration(float64(900+rng.IntN(1400))*wave) * time.Millisecond)
	}
}

func (m *memory) stuffing(rng *rand.Rand) {
	who := sundew.Entity{Kind: sundew.KindIP, Key: "198.51.100.23"}
	begin := sceneNow.Add(-31 * time.Minute)
	var evidence []sundew.Evidence
	for i := range 420 {
		t := begin.Add(time.Duration(i)*3800*time.Millisecond + time.Duration(rng.IntN(900))*time.Millisecond)
		e := request(t, who.Key, "POST", "/v2/session", 401)
		e.UserAgent, e.JA4 = "python-requests/2.32.5", "t13d1812h1_85036bcba153_d41ae481755e"
		e.Account, e.Auth = fmt.Sprintf("u-%d", 51000+i), sundew.OutcomeFailure
		if i%37 == 36 {
			e.Status, e.Auth = 200, sundew.OutcomeSuccess
		}
		if i > 60 {
			e.EdgeAction, e.EdgeDelay = sundew.ActionTarpit, 2*time.Second
		}
		m.events = append(m.events, e)
		points := 100 * (1 - math.Exp(-float64(i)/70))
		evidence = []sundew.Evidence{
			{Channel: "outcome", Nats: points / 14, Observed: float64(i), Expected: 1.3, Window: 10 * time.Minute, Sentence: fmt.Sprintf("%d of %d logins failed, 1 expected", i, i+1)},
			{Channel: "spread", Nats: points / 22, Observed: float64(min(i, 250)), Expected: 1.1, Window: time.Hour, Sentence: fmt.Sprintf("%d different accounts behind one address, 1 expected", i)},
			{Channel: "timing", Nats: points / 61, Observed: .08, Expected: .71, Window: 10 * time.Minute, Sentence: "intervals vary by 8 %, people vary by 71 %"},
		}
		if i%3 == 0 && points > 18 {
			m.scores[who] = append(m.scores[who], sundew.ScorePoint{Time: t, Points: points, Nats: points / 9, Evidence: evidence})
		}
		if slices.Contains([]int{26, 50, 98, 164}, i) {
			action := map[int]sundew.Action{26: sundew.ActionObserve, 50: sundew.ActionTarpit, 98: sundew.ActionChallenge, 164: sundew.ActionBlock}[i]
			m.decide(t, who, action, points, "credential-stuffing@3f9c2a71", evidence, 45*time.Minute)
		}
	}
}

func (m *memory) enumeration() {
	who := sundew.Entity{Kind: sundew.KindDevice, Key: "e2b7c1d9-6a40-4a0f-9d33-0c51aa7e1f02"}
	begin := sceneNow.Add(-14 * time.Minute)
	for i := range 130 {
		t := begin.Add(time.Duration(i) * 6 * time.Second)
		e := request(t, fmt.Sprintf("192.0.2.%d", 60+i%4), "GET", fmt.Sprintf("/v2/orders/%d", 88000+i), []int{404, 403, 200}[i%3])
		e.UserAgent, e.Device, e.Object = "ShopApp/8.2.1 (iPhone15,4; iOS 19.1)", who.Key, fmt.Sprint(88000+i)
		m.events = append(m.events, e)
		points := math.Min(84, 12+float64(i)*.62)
		evidence := []sundew.Evidence{
			{Channel: "objects", Nats: points / 11, Observed: float64(i), Expected: 2.4, Window: time.Hour, Sentence: fmt.Sprintf("%d different orders asked for, 2 expected", i)},
			{Channel: "attestation", Nats: points / 40, Observed: 1, Expected: .02, Window: time.Hour, Sentence: "no attestation on any request, 98 of 100 devices send one"},
		}
		if points > 20 {
			m.scores[who] = append(m.scores[who], sundew.ScorePoint{Time: t, Points: points, Nats: points / 10, Evidence: evidence})
		}
		if i == 64 || i == 104 {
			m.decide(t, who, map[int]sundew.Action{64: sundew.ActionTarpit, 104: sundew.ActionChallenge}[i], points, "object-enumeration@91d0be44", evidence, 30*time.Minute)
		}
	}
}

func (m *memory) scanner() {
	who := sundew.Entity{Kind: sundew.KindPrefix, Key: "2001:db8:7::/48"}
	evidence := []sundew.Evidence{{Channel: "signatures", Nats: 9.2, Observed: 61, Expected: .01, Window: 10 * time.Minute, Sentence: "61 requests for files that no version of this API has"}}
	for i, path := range []string{"/.env", "/wp-login.php", "/actuator/env", "/v2/../../etc/passwd", "/v2/search", "/.git/config"} {
		t := sceneNow.Add(-52*time.Minute + time.Duration(i)*7*time.Second)
		e := request(t, "2001:db8:7::c0de", "GET", path, 404)
		e.UserAgent = "Mozilla/5.0 zgrab/0.x"
		e.Query = "q=1%27%20OR%20%271%27%3D%271"
		m.events = append(m.events, e)
		m.scores[who] = append(m.scores[who], sundew.ScorePoint{Time: t, Points: 40 + 11*float64(i), Nats: 9, Evidence: evidence})
	}
	m.decide(sceneNow.Add(-50*time.Minute), who, sundew.ActionBlock, 96, "probe-paths@0c77d1aa", evidence, 24*time.Hour)
	m.decided[len(m.decided)-1].Basis = sundew.BasisPoints
	shadow := sundew.Entity{Kind: sundew.KindFingerprint, Key: "t13d1812h1_85036bcba153_d41ae481755e"}
	m.decide(sceneNow.Add(-8*time.Minute), shadow, sundew.ActionTarpit, 57, "library-client@aa01f3c2", evidence, time.Hour)
	m.decided[len(m.decided)-1].Shadow = true
}

func (m *memory) unreadable() {
	for i, line := range []string{`203.0.113.9 - - [14/Mar/2026:11:02:55`, `{"timestamp":"2026-03-14T11:20:00Z","client.addr`, `{"client.address":"203.0.113.40"}`} {
		m.letters = append(m.letters, sundew.DeadLetter{
			Time: sceneNow.Add(time.Duration(i-30) * time.Minute), Source: "http:gw-eu-1", Offset: int64(1200 + i), Format: []string{"nginx", "json", "json"}[i],
			Reason: []string{"line incomplete", "not JSON", "timestamp missing"}[i], Detail: fmt.Sprintf("column %d: the line ends early", len(line)), Line: line,
		})
	}
}

func (m *memory) decide(t time.Time, who sundew.Entity, action sundew.Action, score float64, rule string, evidence []sundew.Evidence, ttl time.Duration) {
	d := sundew.Decision{
		Time: t, Entity: who, Action: action, Score: score, Rule: rule, Evidence: evidence, Expires: t.Add(ttl),
		Version: t.UnixMicro(), Basis: sundew.BasisScore, Sentence: evidence[0].Sentence,
	}
	if action == sundew.ActionTarpit {
		d.Delay = 2 * time.Second
	}
	d.ID = sundew.DecisionID(d.Rule, who, d.Version)
	m.decided = append(m.decided, d)
}

func sceneRules() []RuleInfo {
	return []RuleInfo{
		{"credential-stuffing", "3f9c2a71", "Credential stuffing", "score", "active", "high", "fraud", "Many accounts tried from one place, most of them in vain. Acts on addresses and devices, never on networks that are shared.", []string{"https://owasp.org/www-project-automated-threats-to-web-applications/", "OAT-008"}},
		{"object-enumeration", "91d0be44", "Object enumeration", "score", "active", "high", "api", "One client walks through identifiers of others.", []string{"API1:2023"}},
		{"probe-paths", "5e21ab90", "Probes for known files", "points", "active", "medium", "platform", "", nil},
		{"library-client", "aa01f3c2", "HTTP libraries in place of the app", "points", "shadow", "low", "platform", "Compared for two weeks before it may act.", nil},
	}
}

func sceneStatus() []StatusItem {
	return []StatusItem{
		{"Event lag", StateOK, "0.8 s behind the gateways"},
		{"Events", StateOK, "31 a second"},
		{"Edges", StateWarn, "edge-2 last pulled 94 s ago"},
		{"Dropped", StateOK, "none"},
	}
}
