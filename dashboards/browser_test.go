//go:build browser

package dashboards

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browser is a tab that remembers everything a page of the console must not do.
type browser struct {
	ctx     context.Context // the tab: chromedp knows it by its context
	mu      sync.Mutex
	hosts   map[string]bool
	faults  []string
	refused bool // 4xx and 5xx answers are what the test asks for
}

// openBrowser starts Chromium without access to its own services, or skips the test by the name of what is missing.
func openBrowser(t *testing.T) *browser {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("SUNDEW_NO_SKIP") != "" {
			t.Fatal("chromium is not installed")
		}
		t.Skip("chromium is not installed")
	}
	alloc, stop := chromedp.NewExecAllocator(t.Context(), slices.Concat(chromedp.DefaultExecAllocatorOptions[:], []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-features", "Translate,BackForwardCache"), chromedp.Flag("disable-component-update", true),
		chromedp.WSURLReadTimeout(time.Minute),
	})...)
	t.Cleanup(stop)
	tab, closeTab := chromedp.NewContext(alloc)
	t.Cleanup(closeTab)
	ctx, cancel := context.WithTimeout(tab, 2*time.Minute)
	t.Cleanup(cancel)

	b := &browser{ctx: ctx, hosts: map[string]bool{}}
	if err := chromedp.Listen(ctx, b.notice); err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	return b
}

func (b *browser) notice(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		// Chromium draws its own form controls from data addresses; one of a page would be a report of the policy.
		if u, err := url.Parse(e.Request.URL); err == nil && u.Scheme != "about" && u.Scheme != "data" {
			b.hosts[u.Host] = true
		}
	case *log.EventEntryAdded:
		if !b.refused || e.Entry.Source != "network" {
			b.faults = append(b.faults, "log: "+e.Entry.Text)
		}
	case *runtime.EventExceptionThrown:
		b.faults = append(b.faults, "exception: "+e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		b.faults = append(b.faults, fmt.Sprintf("console.%s", e.Type))
	case *page.EventJavascriptDialogOpening:
		b.faults = append(b.faults, "dialog: "+e.Message)
	}
}

// assertQuiet reports what the pages did that they must not do, and asks for no other host than the server's.
func (b *browser) assertQuiet(t *testing.T, what string, server *httptest.Server) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, fault := range b.faults {
		t.Errorf("%s: %s", what, fault)
	}
	b.faults = nil
	for host := range b.hosts {
		if "http://"+host != server.URL {
			t.Errorf("%s: a request to %s", what, host)
		}
	}
}

func (b *browser) open(t *testing.T, address string) {
	t.Helper()
	if err := chromedp.Do(b.ctx, chromedp.Navigate(address)); err != nil {
		t.Fatalf("open %s: %v", address, err)
	}
}

func ask[T any](t *testing.T, b *browser, expression string, opts ...chromedp.EvaluateOption) T {
	t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, opts...))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return v
}

func TestBrowserPagesAreQuiet(t *testing.T) {
	b := openBrowser(t)
	b.refused = true
	m := scene()
	server := httptest.NewServer(newConsole(t, m))
	defer server.Close()
	for _, target := range everyPage(m) {
		b.open(t, server.URL+target)
		b.assertQuiet(t, target, server)
		if n := ask[int](t, b, `document.styleSheets[0].cssRules.length`); n < 50 {
			t.Errorf("%s: the style sheet has %d rules", target, n)
		}
	}
	if err := chromedp.Do(b.ctx, chromedp.NavigateBack(), chromedp.NavigateBack(), chromedp.NavigateForward()); err != nil {
		t.Fatal(err)
	}
	b.assertQuiet(t, "back and forward", server)
}

func TestBrowserHostileStringsDoNotRun(t *testing.T) {
	b := openBrowser(t)
	var console atomic.Pointer[http.Handler]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*console.Load()).ServeHTTP(w, r) }))
	defer server.Close()
	for _, text := range hostileStrings {
		m := hostileScene(text)
		h := hostileConsole(t, m, text)
		console.Store(&h)
		for _, target := range hostilePages(m) {
			b.open(t, server.URL+target)
			what := fmt.Sprintf("%s with %.24q", target, text)
			b.assertQuiet(t, what, server)
			if n := ask[int](t, b, `document.querySelectorAll("script:not([src]), iframe, object, embed, img:not([src^='static/']), [style], foreignObject").length`); n != 0 {
				t.Errorf("%s: %d foreign elements", what, n)
			}
		}
	}
}

func TestBrowserPagesFitNarrowAndDark(t *testing.T) {
	b := openBrowser(t)
	b.refused = true
	m := scene()
	server := httptest.NewServer(newConsole(t, m))
	defer server.Close()
	dark := func(ctx context.Context, tab *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, tab, cdp.Command[map[string]any, cdp.Empty]{Method: "Emulation.setEmulatedMedia"}, map[string]any{
			"features": []map[string]string{{"name": "prefers-color-scheme", "value": "dark"}},
		})
		return chromedp.Void{}, err
	}
	if err := chromedp.Do(b.ctx, chromedp.EmulateViewport(360, 740), dark); err != nil {
		t.Fatal(err)
	}
	for _, target := range everyPage(m) {
		b.open(t, server.URL+target)
		if width := ask[int](t, b, `document.documentElement.scrollWidth`); width > 360 {
			t.Errorf("%s is %d pixels wide on a screen of 360", target, width)
		}
		if ground := ask[string](t, b, `getComputedStyle(document.documentElement).backgroundColor`); ground != "rgb(14, 20, 17)" {
			t.Errorf("%s stands on %s in the dark", target, ground)
		}
	}
}

func TestBrowserRefreshesAndPauses(t *testing.T) {
	b := openBrowser(t)
	m := scene()
	var asked atomic.Int64
	server := httptest.NewServer(newConsole(t, m, func(c *Config) {
		c.Status = func() []StatusItem {
			return []StatusItem{{"Asked", StateOK, fmt.Sprint(asked.Add(1))}}
		}
	}))
	defer server.Close()
	b.open(t, server.URL+"/?range=6h")

	const changed = `new Promise((done) => {
		const before = document.getElementById("status").textContent;
		new MutationObserver(() => {
			const section = document.getElementById("status");
			if (section && section.textContent !== before) done(true);
		}).observe(document.querySelector("main"), { childList: true, subtree: true });
		document.dispatchEvent(new Event("visibilitychange"));
	})`
	if !ask[bool](t, b, changed, chromedp.EvalAwaitPromise) {
		t.Error("the status section was not replaced")
	}

	const fetches = `(() => {
		let n = 0;
		const real = window.fetch;
		window.fetch = (...args) => { n++; return real(...args); };
		document.dispatchEvent(new Event("visibilitychange"));
		window.fetch = real;
		return n;
	})()`
	if n := ask[int](t, b, fetches); n != 1 {
		t.Errorf("a live page fetches %d times when it is seen, want 1", n)
	}
	if err := chromedp.Do(b.ctx, chromedp.Click("#live")); err != nil {
		t.Fatal(err)
	}
	if n := ask[int](t, b, fetches); n != 0 {
		t.Errorf("a paused page fetches %d times, want 0", n)
	}
	if at := ask[string](t, b, `location.search`); at != "?range=6h&refresh=off" {
		t.Errorf("the address of the paused page is %s", at)
	}
	b.open(t, server.URL+ask[string](t, b, `location.pathname + location.search`))
	if word := ask[string](t, b, `document.querySelector("#live .word").textContent`); word != "Paused" {
		t.Errorf("after a reload the page is %s", word)
	}
	b.assertQuiet(t, "refresh", server)
}

func TestBrowserSaysWhenItIsOutOfDate(t *testing.T) {
	b := openBrowser(t)
	b.refused = true
	m := scene()
	console := newConsole(t, m)
	var away atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if away.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		console.ServeHTTP(w, r)
	}))
	defer server.Close()
	b.open(t, server.URL+"/")
	away.Store(true)
	const said = `new Promise((done) => {
		const notice = document.getElementById("stale");
		new MutationObserver(() => { if (!notice.hidden) done(notice.textContent); }).observe(notice, { attributes: true, childList: true });
		document.dispatchEvent(new Event("visibilitychange"));
	})`
	if text := ask[string](t, b, said, chromedp.EvalAwaitPromise); !strings.Contains(text, "the store does not answer") {
		t.Errorf("the page says %q", text)
	}
	if rows := ask[int](t, b, `document.querySelectorAll("#offenders li").length`); rows == 0 {
		t.Error("the page dropped what it knew")
	}
}
