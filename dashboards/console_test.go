package dashboards

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"golang.org/x/net/html"

	"sundew"
)

// console returns the handler over m with the clock of the scene.
func newConsole(t testing.TB, m *memory, change ...func(*Config)) http.Handler {
	t.Helper()
	c := Config{
		Reader: m, Lister: m, Rules: sceneRules(), Version: "v0.1.0", Status: sceneStatus,
		Now: func() time.Time { return sceneNow },
	}
	for _, f := range change {
		f(&c)
	}
	h, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func get(t testing.TB, h http.Handler, target string) *httptest.ResponseRecorder {
	t.Helper()
	return send(t, h, http.MethodGet, target)
}

func send(t testing.TB, h http.Handler, method, target string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, target, nil))
	return w
}

// everyPage lists an address of each page, and of the empty and faulty answers that have a look of their own.
func everyPage(m *memory) []string {
	pages := []string{
		"/", "/?range=24h", "/?from=2026-03-14T10:00&to=2026-03-14T11:00", "/entities", "/entities?kind=account", "/decisions",
		"/blocklist", "/blocklist?q=nothing", "/rules", "/deadletters", "/nowhere", "/?range=soon", "/entity?q=nobody",
	}
	for _, d := range m.decided {
		pages = append(pages, "/"+decisionPath(d.ID), "/"+entityPath(d.Entity))
	}
	return pages
}

func TestPagesAndTheirTwins(t *testing.T) {
	m := scene()
	h := newConsole(t, m)
	block := m.decided[0]
	for _, tc := range []struct {
		name, page, twin string
		shows            []string
		holds            string // a path into the JSON answer: member.member
	}{
		{
			"overview", "/", "/api/v1/overview",
			[]string{"3,076 requests", "164 of 165 logins failed, 1 expected", "edge-2 last pulled 94 s ago", "Requests per minute"},
			"in_force.block",
		},
		{"entities of one kind", "/entities?kind=device", "/api/v1/entities?kind=device", []string{"e2b7c1d9-6a40-4a0f-9d33-0c51aa7e1f02", "104 different orders"}, "entities"},
		{
			"an address", "/entity/ip/198.51.100.23", "/api/v1/entities/ip/198.51.100.23",
			[]string{"in force until", "Score over time", "python-requests/2.32.5", "the newest 200 of 420"},
			"entity.key",
		},
		{"a prefix, whose key has a slash", "/entity/prefix/2001:db8:7::%2F48", "/api/v1/entities/prefix/2001:db8:7::%2F48", []string{"2001:db8:7::/48", "/.git/config"}, "scores"},
		{"decisions", "/decisions", "/api/v1/decisions", []string{"credential-stuffing@3f9c2a71", "in 24 min 23 s"}, "decisions"},
		{
			"a decision", "/decision/" + block.ID, "/api/v1/decisions/" + block.ID,
			[]string{"Requests of network 2001:db8:7::/48 are refused until 15 March 2026, 10:52:17 UTC.", "does not cover it", "/.env", "the loaded version is another"},
			"decision.evidence",
		},
		{"blocklist", "/blocklist", "/api/v1/blocklist", []string{"3 in force", "k3f9.41"}, "cursor"},
		{"blocklist, filtered", "/blocklist?action=challenge", "/api/v1/blocklist?action=challenge", []string{"1 match.", "in 26 min 24 s"}, "matching"},
		{"rules", "/rules", "/api/v1/rules", []string{"Credential stuffing", "1 in shadow", `href="https://owasp.org/`}, "rules"},
		{"dead letters", "/deadletters", "/api/v1/deadletters", []string{"timestamp missing", "0:1202"}, "dead_letters"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			page := get(t, h, tc.page)
			if page.Code != http.StatusOK || page.Header().Get("Content-Type") != "text/html; charset=utf-8" {
				t.Fatalf("GET %s: %d %s\n%s", tc.page, page.Code, page.Header().Get("Content-Type"), page.Body)
			}
			for _, want := range tc.shows {
				if !strings.Contains(page.Body.String(), want) && !strings.Contains(textOf(t, page.Body.String()), want) {
					t.Errorf("GET %s does not show %q", tc.page, want)
				}
			}
			twin := get(t, h, tc.twin)
			if twin.Code != http.StatusOK || twin.Header().Get("Content-Type") != "application/json" {
				t.Fatalf("GET %s: %d %s", tc.twin, twin.Code, twin.Header().Get("Content-Type"))
			}
			if !member(t, twin.Body.Bytes(), tc.holds) {
				t.Errorf("GET %s has no member %s:\n%s", tc.twin, tc.holds, twin.Body)
			}
			if same := get(t, h, withQuery(tc.page, "format=json")); same.Body.String() != twin.Body.String() {
				t.Errorf("GET %s with format=json differs from %s", tc.page, tc.twin)
			}
		})
	}
}

func member(t *testing.T, body []byte, path string) bool {
	t.Helper()
	var at any
	if err := json.Unmarshal(body, &at); err != nil {
		t.Fatal(err)
	}
	for name := range strings.SplitSeq(path, ".") {
		object, _ := at.(map[string]any)
		if at = object[name]; at == nil {
			return false
		}
	}
	return true
}

// textOf returns the text that a reader of the page sees, white space folded.
func textOf(t testing.TB, page string) string {
	t.Helper()
	var b strings.Builder
	for n := range parse(t, page).Descendants() {
		if n.Type == html.TextNode {
			b.WriteString(n.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func parse(t testing.TB, page string) *html.Node {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func TestEveryInternalLinkLeadsSomewhere(t *testing.T) {
	m := scene()
	prefixed := http.StripPrefix("/console", newConsole(t, m))
	seen := map[string]bool{}
	for _, page := range []string{"/", "/entities?range=6h", "/entity/prefix/2001:db8:7::%2F48", "/entity/ip/198.51.100.23?range=15m", "/decisions?refresh=off", "/" + decisionPath(m.decided[0].ID), "/blocklist", "/rules", "/deadletters"} {
		at, _ := url.Parse("http://analyst.example/console" + page)
		root := parse(t, get(t, prefixed, at.RequestURI()).Body.String())
		base := at
		for n := range root.Descendants() {
			if n.Data == "base" {
				base, _ = at.Parse(attribute(n, "href"))
			}
		}
		if base.Path != "/console/" {
			t.Errorf("%s: links start at %s, want /console/", page, base.Path)
		}
		for n := range root.Descendants() {
			href := attribute(n, "href") + attribute(n, "src") + attribute(n, "action")
			if href == "" || n.Data == "base" || strings.HasPrefix(href, "https://owasp.org/") {
				continue
			}
			to, err := base.Parse(href)
			if err != nil || to.Host != at.Host {
				t.Fatalf("%s: link %q leads away", page, href)
			}
			if to.Fragment = ""; seen[to.String()] || n.Data == "form" {
				continue
			}
			seen[to.String()] = true
			if w := get(t, prefixed, to.RequestURI()); w.Code != http.StatusOK {
				t.Errorf("%s: link %q: status %d", page, href, w.Code)
			}
		}
	}
	if len(seen) < 60 {
		t.Errorf("followed %d links only", len(seen))
	}
}

func TestLinksKeepTheState(t *testing.T) {
	h := newConsole(t, scene())
	page := get(t, h, "/?range=6h&refresh=off").Body.String()
	for _, want := range []string{
		`href="decisions?range=6h&amp;refresh=off"`,
		`href="entity/ip/198.51.100.23?range=6h&amp;refresh=off"`,
		`href="./?range=24h&amp;refresh=off"`,
		`data-paused`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if fixed := get(t, h, "/?from=2026-03-14T10:00:00Z&to=2026-03-14T11:00:00Z").Body.String(); strings.Contains(fixed, `id="live"`) {
		t.Error("a range that ended offers to refresh itself")
	}
}

func TestProblems(t *testing.T) {
	away := scene()
	away.err = errors.New("duckdb: /secret/path is locked")
	for _, tc := range []struct {
		name, target string
		m            *memory
		status       int
		shows        string
	}{
		{"unknown page", "/nowhere", scene(), 404, "Page not found"},
		{"unknown decision", "/decision/ffff", scene(), 404, "Decision not found"},
		{"unknown range", "/?range=2w", scene(), 400, `There is no time range "2w".`},
		{"range backwards", "/?from=2026-03-14T11:00:00Z&to=2026-03-14T10:00:00Z", scene(), 400, "ends before it starts"},
		{"range without end", "/?from=2026-03-14T11:00:00Z", scene(), 400, "The end of the range"},
		{"range of a year", "/?from=2025-03-14&to=2026-03-14", scene(), 400, "longer than 92 days"},
		{"range before time", "/?from=0000-01-01&to=0000-01-02", scene(), 400, "not a time"},
		{"unknown kind", "/entities?kind=ghost", scene(), 400, "no such kind"},
		{"unknown kind in a path", "/entity/ghost/1", scene(), 400, "names no entity"},
		{"address that is none", "/entity/ip/300.1.1.1", scene(), 400, "names no entity"},
		{"unknown action", "/blocklist?action=hug", scene(), 400, "no such action"},
		{"limit of zero", "/decisions?limit=0", scene(), 400, "not a number from 1 to 2000"},
		{"limit too large", "/entities?limit=1000000", scene(), 400, "not a number from 1 to 1000"},
		{"store away: overview", "/", away, 503, "The store does not answer"},
		{"store away: entity", "/entity/ip/198.51.100.23", away, 503, "The store does not answer"},
		{"store away: decisions", "/decisions", away, 503, "The store does not answer"},
		{"store away: unknown decision", "/decision/ffff", away, 503, "The store does not answer"},
		{"store away: dead letters", "/deadletters", away, 503, "The store does not answer"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newConsole(t, tc.m)
			page := get(t, h, tc.target)
			if page.Code != tc.status || !strings.Contains(textOf(t, page.Body.String()), tc.shows) {
				t.Errorf("status %d, want %d showing %q:\n%s", page.Code, tc.status, tc.shows, textOf(t, page.Body.String()))
			}
			if strings.Contains(page.Body.String(), "/secret/path") {
				t.Error("the page tells the store's inner error")
			}
			twin := get(t, h, withQuery(tc.target, "format=json"))
			var p problem
			if err := json.Unmarshal(twin.Body.Bytes(), &p); err != nil || p.Status != tc.status || p.Remedy == "" {
				t.Errorf("JSON answer %s: %v", twin.Body, err)
			}
			if got := twin.Header().Get("Content-Type"); got != "application/problem+json" {
				t.Errorf("content type %s", got)
			}
		})
	}
}

func TestStoreAwayLeavesTheBlocklist(t *testing.T) {
	m := scene()
	held := m.list.Decisions[0]
	m.err = errors.New("away")
	h := newConsole(t, m)
	for _, target := range []string{"/blocklist", "/rules"} {
		if w := get(t, h, target); w.Code != http.StatusOK {
			t.Errorf("%s: status %d without the store", target, w.Code)
		}
	}
	w := get(t, h, "/decision/"+held.ID)
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "comes from the blocklist") {
		t.Errorf("a decision in force: status %d", w.Code)
	}

	m.err, m.decided = nil, nil
	if w := get(t, h, "/decision/"+held.ID); w.Code != http.StatusOK {
		t.Errorf("a decision that the store has not written yet: status %d", w.Code)
	}
	m.requested = errors.New("away")
	if w := get(t, h, "/decision/"+held.ID); w.Code != http.StatusServiceUnavailable {
		t.Errorf("requests that cannot be read: status %d, want 503", w.Code)
	}
}

func TestEmptyPagesSayWhatToDo(t *testing.T) {
	h := newConsole(t, &memory{}, func(c *Config) { c.Rules, c.Status = nil, nil })
	for target, want := range map[string]string{
		"/":                    "curl --data-binary @access.log http://example.com/ingest/v1/logs",
		"/entities":            "/ingest/v1/logs",
		"/entity/account/jo":   "check the spelling",
		"/decisions":           "sundew drill",
		"/blocklist":           "/feed/v1/snapshot.ndjson",
		"/rules":               "sundew rules lint",
		"/deadletters":         "sundew parse",
		"/blocklist?kind=asn":  "Show everything",
		"/entities?kind=asn":   "another kind",
		"/entity?q=192.0.2.77": "Nothing is in force",
	} {
		if w := get(t, h, target); w.Code != http.StatusOK || !strings.Contains(textOf(t, w.Body.String()), want) {
			t.Errorf("%s: status %d, does not say %q", target, w.Code, want)
		}
	}
}

func TestOnlyReads(t *testing.T) {
	h := newConsole(t, scene())
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions, "BREW"} {
		w := send(t, h, method, "/rules")
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: status %d, Allow %q", method, w.Code, w.Header().Get("Allow"))
		}
	}
	server := httptest.NewServer(h)
	defer server.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodHead, server.URL+"/decisions", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || len(body) != 0 {
		t.Errorf("HEAD: status %d, %d bytes, %v", resp.StatusCode, len(body), err)
	}
}

func TestHeaders(t *testing.T) {
	m := scene()
	h := newConsole(t, m)
	for _, target := range append(everyPage(m), "/api/v1/rules", "/static/none.css") {
		w := get(t, h, target)
		for name, want := range map[string]string{
			"Content-Security-Policy": contentPolicy, "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
			"Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", target, name, got, want)
			}
		}
	}
	for _, forbidden := range []string{"unsafe", "*", "http:", "data:"} {
		if strings.Contains(contentPolicy, forbidden) {
			t.Errorf("the content policy allows %s", forbidden)
		}
	}
}

func TestPagesObeyTheirContentPolicy(t *testing.T) {
	m := scene()
	h := newConsole(t, m)
	for _, target := range everyPage(m) {
		for n := range parse(t, get(t, h, target).Body.String()).Descendants() {
			if n.Type != html.ElementNode {
				continue
			}
			if n.Data == "style" || (n.Data == "script" && attribute(n, "src") == "") {
				t.Errorf("%s has an inline %s", target, n.Data)
			}
			for _, a := range n.Attr {
				if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
					t.Errorf("%s: <%s> has an attribute %s", target, n.Data, a.Key)
				}
			}
		}
	}
}

func TestPagesAreAccessible(t *testing.T) {
	m := scene()
	h := newConsole(t, m)
	for _, target := range everyPage(m) {
		ids, headings := map[string]bool{}, 0
		root := parse(t, get(t, h, target).Body.String())
		for n := range root.Descendants() {
			if id := attribute(n, "id"); id != "" {
				if ids[id] {
					t.Errorf("%s: id %s stands twice", target, id)
				}
				ids[id] = true
			}
			if n.Data == "h1" {
				headings++
			}
		}
		if headings != 1 {
			t.Errorf("%s has %d main headings", target, headings)
		}
		for n := range root.Descendants() {
			for id := range strings.FieldsSeq(attribute(n, "aria-labelledby") + " " + attribute(n, "for")) {
				if !ids[id] {
					t.Errorf("%s: <%s> is labelled by %s, which is not there", target, n.Data, id)
				}
			}
			switch {
			case n.Data == "svg" && attribute(n, "aria-hidden") == "" && attribute(n, "aria-labelledby") == "":
				t.Errorf("%s: a drawing has neither a title nor aria-hidden", target)
			case n.Data == "img" && !strings.Contains(rendered(t, n), "alt="):
				t.Errorf("%s: an image has no alt", target)
			case n.Data == "section" && attribute(n, "aria-label") == "" && attribute(n, "aria-labelledby") == "":
				t.Errorf("%s: a section has no name", target)
			}
		}
	}
}

func rendered(t testing.TB, n *html.Node) string {
	t.Helper()
	var b strings.Builder
	if err := html.Render(&b, n); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestStaticFilesAreImmutable(t *testing.T) {
	h := newConsole(t, scene())
	page := parse(t, get(t, h, "/").Body.String())
	found := 0
	for n := range page.Descendants() {
		path := attribute(n, "href") + attribute(n, "src")
		if !strings.HasPrefix(path, "static/") {
			continue
		}
		found++
		w := get(t, h, "/"+path)
		if w.Code != http.StatusOK || w.Header().Get("Cache-Control") != "public, max-age=31536000, immutable" || w.Body.Len() == 0 {
			t.Errorf("%s: status %d, cache %q", path, w.Code, w.Header().Get("Cache-Control"))
		}
	}
	if found < 3 {
		t.Errorf("the page names %d static files", found)
	}
	if w := get(t, h, "/static/app.css"); w.Code != http.StatusNotFound {
		t.Errorf("a file without its hash: status %d", w.Code)
	}
}

func TestMetricsCountByPageAndStatus(t *testing.T) {
	reg := prometheus.NewRegistry()
	h := newConsole(t, scene(), func(c *Config) { c.Registerer = reg })
	for _, target := range []string{"/entity/ip/198.51.100.23", "/entity/ip/198.51.100.24", "/entity/ip/no", "/nowhere-" + strings.Repeat("x", 100)} {
		get(t, h, target)
	}
	want := `
# HELP sundew_dashboards_requests_total Requests to the console by page and status; the status is gone where the client left first.
# TYPE sundew_dashboards_requests_total counter
sundew_dashboards_requests_total{page="entity",status="200"} 2
sundew_dashboards_requests_total{page="entity",status="400"} 1
sundew_dashboards_requests_total{page="unknown",status="404"} 1
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "sundew_dashboards_requests_total"); err != nil {
		t.Error(err)
	}
}

func TestConfigNamesWhatIsMissing(t *testing.T) {
	m := &memory{}
	for _, tc := range []struct {
		name string
		c    Config
		want string
	}{
		{"no reader", Config{Lister: m}, "Config.Reader"},
		{"no lister", Config{Reader: m}, "Config.Lister"},
		{"a rule without id", Config{Reader: m, Lister: m, Rules: []RuleInfo{{ID: "a"}, {}}}, "Config.Rules[1]"},
	} {
		if _, err := New(tc.c); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want one about %s", tc.name, err, tc.want)
		}
	}
	if _, err := New(Config{Reader: m, Lister: m, Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Errorf("the least config: %v", err)
	}
}

func TestReplacedDecisionIsNotInForce(t *testing.T) {
	m := scene()
	h := newConsole(t, m)
	var tarpit sundew.Decision
	for _, d := range m.decided {
		if d.Action == sundew.ActionTarpit && d.Entity.Kind == sundew.KindIP {
			tarpit = d
		}
	}
	text := textOf(t, get(t, h, "/decision/"+tarpit.ID).Body.String())
	for _, want := range []string{"were to be delayed by 2 s each", "replaced by a later decision, or withdrawn"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q:\n%s", want, text)
		}
	}
}
