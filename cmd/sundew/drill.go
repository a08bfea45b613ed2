package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"sundew"
	"sundew/edge"
)

// drill drives a made-up offender through a deployment: its failed log-ins into ingest, the decision out of the feed, the
// enforcement at an edge, and its end. A bystander who does nothing wrong goes the same way.
type drill struct {
	ingest, edge string // URLs; without an edge only the list is watched
	token        string
	limit        time.Duration // for the offender to be listed, and then for the edge to act
	release      time.Duration // for the decision to end; 0: nobody waits
	client       *http.Client
	table        *edge.Table
	progress     *progress

	offender, bystander netip.Addr
	before              int // status of the edge's answer to the offender before it offends
	sent                int
	began               time.Time
	report              drillReport
}

// drillReport is what a monitor reads.
type drillReport struct {
	Offender string     `json:"offender"`
	Passed   bool       `json:"passed"`
	Hops     []drillHop `json:"hops"`
}

// drillHop is a stage that was reached, and when: seconds since the offender's first request.
type drillHop struct {
	Hop     string  `json:"hop"`
	Seconds float64 `json:"seconds"`
	Detail  string  `json:"detail"`
}

func runDrill(ctx context.Context, flags *flag.FlagSet, args []string, t terminal) error {
	server := flags.String("server", "http://127.0.0.1:8080", "`URL` of sundew, for ingest and feed")
	ingestURL := flags.String("ingest", "", "`URL` that lines are posted to; empty: /ingest/v1/logs of the server")
	at := flags.String("edge", "", "`URL` behind an edge that believes our X-Forwarded-For; empty: no edge is tried")
	tokenFile := flags.String("token-file", "", "`file` with the token for ingest")
	keyFile := flags.String("key-file", "", "`file` with the key for the feed")
	limit := flags.Duration("timeout", time.Minute, "`time` for the offender to be listed, and for the edge to act")
	release := flags.Duration("release", 30*time.Minute, "`time` for the decision to end; 0 does not wait for it")
	asJSON := flags.Bool("json", false, "print one JSON object")
	if _, err := parseFlags(flags, args, 0, 0); err != nil {
		return err
	}
	d := &drill{
		ingest: *ingestURL, edge: *at, limit: *limit, release: *release,
		client: &http.Client{Timeout: 30 * time.Second}, table: edge.NewTable(), progress: newProgress(t.err),
	}
	if d.ingest == "" {
		d.ingest = strings.TrimSuffix(*server, "/") + "/ingest/v1/logs"
	}
	for name, address := range map[string]string{"ingest": d.ingest, "edge": d.edge} {
		if u, err := url.Parse(address); address != "" && (err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https")) {
			return usageError{fmt.Sprintf("drill: --%s %q: want http:// or https:// and a host", name, address)}
		}
	}
	follower := edge.DefaultFollowerConfig()
	follower.URL = *server
	var err error
	if d.token, err = secretIn(*tokenFile); err != nil {
		return err
	}
	if follower.Key, err = secretIn(*keyFile); err != nil {
		return err
	}
	if err := follower.Validate(); err != nil {
		return usageError{"drill: --server: " + err.Error()}
	}
	following, stop := context.WithCancel(ctx)
	logger := slog.New(slog.NewTextHandler(t.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	followed := make(chan error, 1)
	go func() { followed <- edge.NewFollower(follower, d.table, nil, logger).Run(following) }()
	err = d.run(ctx)
	stop()
	err = errors.Join(err, <-followed)
	d.progress.done()
	d.report.Passed = err == nil
	return errors.Join(d.report.write(t.out, *asJSON), err)
}

// secretIn is the text of a file; an empty path means none.
func secretIn(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	text, err := os.ReadFile(path)
	return strings.TrimSpace(string(text)), err
}

// run passes the stages in their order; the error says which was not reached, and what to look at.
func (d *drill) run(ctx context.Context) error {
	first := min(d.limit, 10*time.Second)
	if err := d.await(ctx, first, "the list", func() (bool, error) { return d.table.Cursor().Epoch != "", nil }); err != nil {
		return fmt.Errorf("drill: the feed gives no list: is --server right, and --key-file where feed.keys are set? (%w)", err)
	}
	if err := d.cast(); err != nil {
		return err
	}
	if err := d.rehearse(ctx); err != nil {
		return err
	}
	decision, err := d.offend(ctx)
	if err != nil {
		return err
	}
	if err := d.enforced(ctx, decision); err != nil {
		return err
	}
	if err := d.spared(); err != nil {
		return err
	}
	return d.released(ctx)
}

// testNets are for documentation (RFC 5737): nobody has an address of them.
var testNets = []netip.Prefix{
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"),
}

// cast picks an offender and a bystander of different networks who are not on the list yet.
func (d *drill) cast() error {
	free := func(network netip.Prefix) (netip.Addr, error) {
		for range 100 {
			n, err := rand.Int(rand.Reader, big.NewInt(254))
			if err != nil {
				return netip.Addr{}, err
			}
			b := network.Addr().As4()
			b[3] = byte(1 + n.Int64())
			if addr := netip.AddrFrom4(b); !d.listed(addr) {
				return addr, nil
			}
		}
		return netip.Addr{}, fmt.Errorf("drill: all of %s is on the list: wait for an earlier drill's decisions to end", network)
	}
	n, err := rand.Int(rand.Reader, big.NewInt(int64(len(testNets))))
	if err != nil {
		return err
	}
	if d.offender, err = free(testNets[n.Int64()]); err != nil {
		return err
	}
	d.bystander, err = free(testNets[(n.Int64()+1)%int64(len(testNets))])
	d.report.Offender = d.offender.String()
	return err
}

func (d *drill) listed(addr netip.Addr) bool {
	_, ok := d.table.Lookup(addr, "", "", "", time.Now())
	return ok
}

// rehearse asks the edge for something before there is a reason not to give it.
func (d *drill) rehearse(ctx context.Context) error {
	if d.edge == "" {
		return nil
	}
	status, took, err := d.visit(ctx, d.offender)
	if err != nil {
		return fmt.Errorf("drill: edge: %w", err)
	}
	d.before = status
	d.began = time.Now()
	d.reached("served", fmt.Sprintf("before anything happened the edge answered %d in %d ms", status, took.Milliseconds()))
	return nil
}

// visit sends one request through the edge as if a proxy had forwarded it.
func (d *drill) visit(ctx context.Context, client netip.Addr) (status int, took time.Duration, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, d.edge, http.NoBody)
	if err != nil {
		return 0, 0, err
	}
	r.Header.Set("X-Forwarded-For", client.String())
	r.Header.Set("User-Agent", drillAgent)
	began := time.Now()
	answer, err := d.client.Do(r)
	if err != nil {
		return 0, 0, err
	}
	_, err = io.Copy(io.Discard, io.LimitReader(answer.Body, 1<<20))
	return answer.StatusCode, time.Since(began), errors.Join(err, answer.Body.Close())
}

const (
	drillAgent = "sundew-drill"
	drillBatch = 10 // log-ins at a time
	drillMost  = 500
)

// offend fails to log in until the list has the offender.
func (d *drill) offend(ctx context.Context) (sundew.Decision, error) {
	d.began = time.Now()
	if err := d.post(ctx); err != nil {
		return sundew.Decision{}, err
	}
	d.reached("acknowledged", fmt.Sprintf("%d lines of %s, each safe in the log", drillBatch, d.offender))
	var decision sundew.Decision
	next := time.Now()
	err := d.await(ctx, d.limit, "listed", func() (found bool, err error) {
		if decision, found = d.table.Lookup(d.offender, "", "", "", time.Now()); found {
			return true, nil
		}
		if time.Now().Before(next) || d.sent >= drillMost {
			return false, nil
		}
		next = time.Now().Add(200 * time.Millisecond)
		return false, d.post(ctx)
	})
	if err != nil {
		return decision, fmt.Errorf("drill: after %d failed log-ins %s is not on the list: does scoring run (sundew_scoring_lag_records), are the rules active, is the address on the allow-list? (%w)", d.sent, d.offender, err)
	}
	d.reached("listed", fmt.Sprintf("%s by %s after %d failed log-ins", actionText(&decision), decision.Rule, d.sent))
	return decision, nil
}

func actionText(d *sundew.Decision) string {
	if d.Action == sundew.ActionTarpit {
		return fmt.Sprintf("tarpit of %s", d.Delay)
	}
	return d.Action.String()
}

// post sends failed log-ins of the offender, and a visit of the bystander.
func (d *drill) post(ctx context.Context) error {
	var body bytes.Buffer
	line := func(client netip.Addr, method, path string, status int, user string) {
		e := map[string]any{
			"timestamp": time.Now().UTC().Format(time.RFC3339Nano), "client.address": client.String(), "http.request.method": method,
			"url.path": path, "http.response.status_code": status, "user_agent.original": drillAgent, "gateway.id": drillAgent,
		}
		if user != "" {
			e["auth.outcome"], e["auth.username"] = "failure", user
		}
		_ = json.NewEncoder(&body).Encode(e) // strings and numbers
	}
	for range drillBatch {
		line(d.offender, http.MethodPost, "/sundew-drill/login", http.StatusUnauthorized, fmt.Sprint("drill-", d.sent))
		d.sent++
	}
	line(d.bystander, http.MethodGet, "/sundew-drill/", http.StatusOK, "")
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.ingest, &body)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-ndjson")
	if d.token != "" {
		r.Header.Set("Authorization", "Bearer "+d.token)
	}
	answer, err := d.client.Do(r)
	if err != nil {
		return fmt.Errorf("drill: ingest: %w", err)
	}
	said, err := io.ReadAll(io.LimitReader(answer.Body, 4<<10))
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		return fmt.Errorf("drill: ingest: %w", err)
	}
	if answer.StatusCode != http.StatusAccepted {
		return fmt.Errorf("drill: ingest answers %s: %q: a token of ingest.tokens goes into --token-file", answer.Status, said)
	}
	return nil
}

// enforced waits until the edge does what the decision says.
func (d *drill) enforced(ctx context.Context, decision sundew.Decision) error {
	if d.edge == "" {
		return nil
	}
	var did string
	err := d.await(ctx, d.limit, "enforced", func() (bool, error) {
		status, took, err := d.visit(ctx, d.offender)
		switch {
		case err != nil:
			return false, err
		case status != d.before:
			did = fmt.Sprintf("the edge answered %d", status)
		case decision.Action == sundew.ActionTarpit && took >= decision.Delay/2:
			did = fmt.Sprintf("the edge held the request for %.1f s", took.Seconds())
		}
		return did != "", nil
	})
	if err != nil {
		return fmt.Errorf("drill: the edge serves %s as before: does it follow this feed, and believe our X-Forwarded-For (edge.proxy.trusted_proxies)? Is it in a dry run? (%w)", d.offender, err)
	}
	d.reached("enforced", did)
	return nil
}

// spared checks that the bystander is let alone.
func (d *drill) spared() error {
	if d.listed(d.bystander) {
		return fmt.Errorf("drill: %s, who did nothing, is on the list too", d.bystander)
	}
	d.reached("spared", fmt.Sprintf("%s, who did nothing, is not on the list", d.bystander))
	return nil
}

// released waits for the decision, and any that followed it, to end by itself.
func (d *drill) released(ctx context.Context) error {
	if d.release <= 0 {
		return nil
	}
	start := time.Now()
	err := d.await(ctx, d.release, "released", func() (bool, error) {
		decision, found := d.table.Lookup(d.offender, "", "", "", time.Now())
		if found {
			d.progress.showShare(int64(time.Since(start)), int64(max(decision.Expires.Sub(start), 1)))
		}
		return !found, nil
	})
	if err != nil {
		return fmt.Errorf("drill: %s is still on the list: its decision lasts longer than --release (%w)", d.offender, err)
	}
	detail := "the decision has ended"
	if d.edge != "" {
		status, took, err := d.visit(ctx, d.offender)
		if err != nil {
			return fmt.Errorf("drill: edge: %w", err)
		}
		if status != d.before {
			return fmt.Errorf("drill: the decision has ended, and the edge still answers %d to %s", status, d.offender)
		}
		detail = fmt.Sprintf("the decision has ended, and the edge answered %d in %d ms", status, took.Milliseconds())
	}
	d.reached("released", detail)
	return nil
}

func (d *drill) reached(hop, detail string) {
	d.report.Hops = append(d.report.Hops, drillHop{hop, time.Since(d.began).Seconds(), detail})
}

// await asks every few milliseconds, which is how exact the times are.
func (d *drill) await(ctx context.Context, limit time.Duration, what string, ok func() (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%s: not within %s", what, limit))
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		done, err := ok()
		if done || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (r drillReport) write(w io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(r)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "hop\tseconds\t")
	for _, h := range r.Hops {
		fmt.Fprintf(table, "%s\t%.3f\t%s\n", h.Hop, h.Seconds, h.Detail)
	}
	return table.Flush()
}
