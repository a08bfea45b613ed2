package dashboards

import (
	"encoding/json"
	"math"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"sundew"
)

// hostileStrings are what an attacker may put into any text of a log.
var hostileStrings = []string{
	`<script>alert(1)</script>`,
	`"><img src=x onerror=alert(1)>`,
	`' onmouseover=alert(1) x='`,
	`</title><script>alert(1)</script>`,
	`{{.}}`,
	"nul\x00byte",
	strings.Repeat("A<b>", 16<<10),
	`javascript:alert(1)`,
	`//evil.example/`,
	`https://evil.example/`,
	`data:text/html,<script>alert(1)</script>`,
	`<div hx-get="/api/v1/rules" hx-trigger="load">`,
	"</script>\u2028__proto__",
	`</text><script>alert(1)</script><foreignObject>`,
	`xlink:href="javascript:alert(1)"`,
	"\x1b]0;owned\x07\rcarriage",
	"moc.elpmaxe\u202e\u2066admin\u200b\ufeff",
	"not\xffutf8",
	`..`,
	`../../rules`,
	`%2e%2e%2f`,
	`?range=soon#main`,
}

// hostileScene puts one string into every text that a page may show.
func hostileScene(text string) *memory {
	key := clipBytes(text, sundew.MaxID)
	at := sceneNow.Add(-5 * time.Minute)
	e := sundew.NewEvent()
	e.Time, e.Client, e.Status = at, netip.MustParseAddr("192.0.2.9"), 404
	e.Method, e.Host, e.Path, e.Query, e.Route = text, text, text, text, text
	e.UserAgent, e.Referer, e.Forwarded, e.RequestID, e.Gateway = text, text, text, text, text
	e.Device, e.Account, e.APIKey, e.JA4, e.Session, e.Object, e.AuthUsername = key, key, key, key, key, key, key
	e.AttestationProvider, e.DecisionID, e.Country = text, text, text
	e.Attributes = []sundew.Attribute{{Key: text, Value: text}}

	evidence := []sundew.Evidence{{Channel: text, Nats: math.Inf(1), Observed: math.NaN(), Expected: math.Inf(-1), Window: time.Hour, Sentence: text}}
	account := sundew.Entity{Kind: sundew.KindAccount, Key: key}
	d := sundew.Decision{
		ID: key, Time: at, Entity: account, And: []sundew.Entity{{Kind: sundew.KindDevice, Key: key}}, Action: sundew.ActionTarpit,
		Delay: time.Second, Score: math.NaN(), Rule: text + "@" + text, Evidence: evidence, Expires: sceneNow.Add(time.Hour),
		Basis: sundew.BasisScore, Sentence: text, Version: 1,
	}
	return &memory{
		events:  []sundew.Event{e},
		scores:  map[sundew.Entity][]sundew.ScorePoint{account: {{Time: at, Points: 80, Evidence: evidence}, {Time: at, Points: math.NaN()}, {Time: at, Points: math.Inf(1)}}},
		decided: []sundew.Decision{d},
		letters: []sundew.DeadLetter{{Time: at, Source: text, Format: text, Reason: text, Detail: text, Line: text}},
		list:    sundew.Blocklist{Cursor: sundew.Cursor{Epoch: "k3f9", Seq: 1}, Decisions: []sundew.Decision{d}},
	}
}

func hostileConsole(t testing.TB, m *memory, text string) http.Handler {
	t.Helper()
	return newConsole(t, m, func(c *Config) {
		c.Rules = []RuleInfo{{text, text, text, text, text, text, text, text, []string{text}}}
		c.Status = func() []StatusItem { return []StatusItem{{text, text, text}} }
		c.Version = text
	})
}

func hostilePages(m *memory) []string {
	pages := []string{"/", "/entities", "/decisions", "/blocklist", "/rules", "/deadletters", "/" + decisionPath(m.decided[0].ID)}
	return append(pages, "/"+entityPath(m.decided[0].Entity))
}

// shape is the elements and attribute names of a page: what a string must not be able to change.
func shape(root *html.Node) map[string]bool {
	names := map[string]bool{}
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		names["<"+n.Data+">"] = true
		for _, a := range n.Attr {
			names[n.Data+" "+a.Key] = true
		}
	}
	return names
}

func TestHostileStringsStayText(t *testing.T) {
	tame := map[string]bool{}
	harmless := hostileScene(strings.Repeat("harmless ", 600))
	for _, page := range hostilePages(harmless) {
		for name := range shape(parse(t, get(t, hostileConsole(t, harmless, strings.Repeat("harmless ", 600)), page).Body.String())) {
			tame[name] = true
		}
	}
	tame["b class"] = true // the mark of an escaped character
	tame["a rel"] = true   // a reference of a rule
	for _, text := range hostileStrings {
		t.Run(clip(text, 24), func(t *testing.T) {
			m := hostileScene(text)
			h := hostileConsole(t, m, text)
			for _, page := range hostilePages(m) {
				w := get(t, h, page)
				if w.Code != http.StatusOK {
					t.Fatalf("%s: status %d", page, w.Code)
				}
				root := parse(t, w.Body.String())
				for name := range shape(root) {
					if !tame[name] {
						t.Errorf("%s: the string made %s", page, name)
					}
				}
				assertLinksStayInside(t, page, root, text)
				assertNothingInvisible(t, page, w.Body.String())
			}
		})
	}
}

// assertLinksStayInside checks that no value became an address: https references of rules are the one exception, since
// rules are written by the operators.
func assertLinksStayInside(t *testing.T, page string, root *html.Node, text string) {
	t.Helper()
	for n := range root.Descendants() {
		for _, a := range n.Attr {
			switch a.Key {
			case "href", "src", "action", "data", "formaction", "poster", "srcset":
			default:
				continue
			}
			if page == "/rules" && a.Val == text && strings.HasPrefix(text, "https://") {
				continue
			}
			first, _, _ := strings.Cut(a.Val, "/")
			switch first {
			case ".", "..", "static", "entity", "decision", "api":
				if strings.HasPrefix(a.Val, "//") {
					t.Errorf("%s: %s leads to %q", page, a.Key, a.Val)
				}
				continue
			}
			word, _, _ := strings.Cut(strings.SplitN(a.Val, "#", 2)[0], "?")
			switch word {
			case "entities", "decisions", "blocklist", "rules", "deadletters", "entity":
				continue
			}
			t.Errorf("%s: %s of <%s> leads to %q", page, a.Key, n.Data, a.Val)
		}
	}
}

func assertNothingInvisible(t *testing.T, page, body string) {
	t.Helper()
	for _, r := range "\x00\x07\x1b\r\u2028\u202e\u2066\u200b\ufeff" {
		if strings.ContainsRune(body, r) {
			t.Errorf("%s holds the invisible character %U as it is", page, r)
		}
	}
}

func TestHostileStringsInJSON(t *testing.T) {
	for _, text := range hostileStrings {
		m := hostileScene(text)
		h := hostileConsole(t, m, text)
		for _, page := range hostilePages(m) {
			w := get(t, h, withQuery(page, "format=json"))
			if !json.Valid(w.Body.Bytes()) || w.Header().Get("Content-Type") != "application/json" {
				t.Errorf("%s with %.24q: status %d, not JSON", page, text, w.Code)
			}
			if strings.ContainsAny(w.Body.String(), "<>\u2028") {
				t.Errorf("%s with %.24q: JSON that a page could not hold", page, text)
			}
		}
	}
}

func TestLongValuesAreCutOnPagesAndWholeInJSON(t *testing.T) {
	line := strings.Repeat("é", 30<<10)
	m := hostileScene(line)
	h := newConsole(t, m)
	page := get(t, h, "/deadletters")
	if page.Body.Len() > 150<<10 {
		t.Errorf("the page has %d bytes", page.Body.Len())
	}
	if !strings.Contains(textOf(t, page.Body.String()), "and 57,344 more bytes") {
		t.Error("the page does not say how much it left out")
	}
	var answer deadLettersModel
	if err := json.Unmarshal(get(t, h, "/api/v1/deadletters").Body.Bytes(), &answer); err != nil || answer.Letters[0].Line != line {
		t.Errorf("the JSON answer does not hold the whole line: %v", err)
	}
}

func TestDotsHaveAnAddress(t *testing.T) {
	m := hostileScene("..")
	h := newConsole(t, m)
	e := sundew.Entity{Kind: sundew.KindAccount, Key: ".."}
	w := get(t, h, "/"+entityPath(e))
	if w.Code != http.StatusOK || !strings.Contains(textOf(t, w.Body.String()), "in force") {
		t.Errorf("GET %s: status %d", entityPath(e), w.Code)
	}
}
