package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"sundew/dashboards"
	"sundew/edge"
	"sundew/ingest"
	"sundew/rules"
	"sundew/store"
)

// handler joins the listeners of all rooms on one address.
func (s *server) handler() (http.Handler, error) {
	console, err := dashboards.New(dashboards.Config{
		Reader: s.store, Lister: s.shown, Rules: s.ruleInfos(), Version: version(), Demo: s.demo,
		Now: time.Now, Registerer: s.registry, Logger: s.log, Status: s.status,
	})
	if err != nil {
		return nil, err
	}
	listener, err := ingest.NewListener(s.config.Ingest, s.producer, s.registry, s.log)
	if err != nil {
		return nil, err
	}
	feed := edge.NewFeed(s.config.Feed, s.changes, s.registry, s.log)
	crowdsec := edge.NewCrowdSec(s.config.Feed, s.changes, s.registry, s.log)

	mux := http.NewServeMux()
	mux.Handle("/ingest/v1/logs", listener)
	mux.Handle(ingest.OTLPPath, listener)
	mux.Handle("/api/v1/labels", s.insiders(ingest.NewLabelListener(s.producer, s.config.Ingest.AckTimeout, s.log)))
	mux.Handle("GET "+queryPath+"{question}", s.insiders(serveQuery(s.store, s.config.Store.QueryTimeout)))
	mux.Handle("POST "+personPath+"{action}", s.insiders(servePerson(s.store)))
	mux.Handle("POST "+manualPath, s.insiders(&manual{
		publisher: mark(ingest.NewDecisionPublisher(s.producer), s.privacy), standing: s.shown.Blocklist, allowed: s.set.Allowed,
		origin: http.NewCrossOriginProtection(), timeout: s.config.Ingest.AckTimeout, log: s.log,
	}))
	mux.Handle("/feed/v1/", feed)
	mux.Handle("/v1/", crowdsec)
	mux.Handle("/health", crowdsec)
	mux.Handle("GET /metrics", s.insiders(promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{Registry: s.registry})))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", s.ready)
	mux.Handle("/", s.insiders(console))
	return mux, nil
}

// insiders serves clients of this machine and of the networks in console.allow. What a proxy on this machine hands on
// comes from elsewhere; who has one with a log-in allows 127.0.0.0/8.
func (s *server) insiders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer, err := netip.ParseAddrPort(r.RemoteAddr)
		client := peer.Addr().Unmap().WithZone("")
		forwarded := r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != ""
		inside := err == nil && (client.IsLoopback() && !forwarded || slices.ContainsFunc(s.config.Console.Allow, func(p netip.Prefix) bool { return p.Contains(client) }))
		if !inside {
			http.Error(w, "The console has no log-in, so it serves this machine alone. Add your network to console.allow in sundew's configuration, or open it through an SSH tunnel.", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ready answers 200 when lines are accepted and decisions flow, else 503 with what is missing.
func (s *server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	checks := map[string]string{"broker": "ok", "store": "ok"}
	code := http.StatusOK
	if err := ingest.Ping(ctx, s.config.Kafka); err != nil {
		checks["broker"], code = err.Error(), http.StatusServiceUnavailable
	}
	if _, err := s.store.Count(ctx); err != nil {
		checks["store"], code = err.Error(), http.StatusServiceUnavailable
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(checks) // the client's loss
}

func (s *server) ruleInfos() []dashboards.RuleInfo {
	var infos []dashboards.RuleInfo
	for _, p := range s.set.Policies() {
		infos = append(infos, dashboards.RuleInfo{
			ID: p.ID, Version: p.Version, Title: p.Title, Kind: p.Kind, Status: "active", Owner: p.Owner, Description: p.Description,
		})
	}
	for _, r := range s.set.Rules() {
		infos = append(infos, dashboards.RuleInfo{
			ID: r.ID, Version: r.Version, Title: r.Title, Kind: r.Kind, Status: r.Status, Severity: r.Severity,
			Owner: r.Owner, Description: r.Description, References: slices.Concat(r.OWASPAPI, r.OWASPOAT, r.References),
		})
	}
	return infos
}

// rememberRules writes down which rules run from now on, where the store can.
func (s *server) rememberRules(ctx context.Context) error {
	kept, ok := s.store.(store.RuleVersionStore)
	if !ok {
		return nil
	}
	var loaded []store.RuleVersion
	for _, r := range s.ruleInfos() {
		loaded = append(loaded, store.RuleVersion{ID: r.ID, Version: r.Version, Status: r.Status, Kind: r.Kind, Title: r.Title, Owner: r.Owner})
	}
	return kept.RecordRuleVersions(ctx, loaded, time.Now().UTC())
}

// watchTasks exports how far each partition is behind, how much it remembers and what its rules met.
func (s *server) watchTasks() {
	for _, t := range s.tasks {
		labels := prometheus.Labels{"partition": fmt.Sprint(t.partition)}
		for name, count := range map[string]struct {
			help string
			of   func(*rules.Stats) uint64
		}{
			"sundew_rules_matches_total":   {"Rules that matched.", func(s *rules.Stats) uint64 { return s.Matches }},
			"sundew_rules_exempted_total":  {"Rules that matched but for an exemption.", func(s *rules.Stats) uint64 { return s.Exempted }},
			"sundew_rules_errors_total":    {"Conditions that could not be evaluated.", func(s *rules.Stats) uint64 { return s.Errors }},
			"sundew_rules_capped_total":    {"Decisions made milder by a list.", func(s *rules.Stats) uint64 { return s.Capped }},
			"sundew_rules_trips_total":     {"Guardrails that were crossed: a rule went back to the shadow, or the rules of a policy paused.", func(s *rules.Stats) uint64 { return s.Trips }},
			"sundew_rules_forgotten_total": {"Entities whose points were dropped because the table was full.", func(s *rules.Stats) uint64 { return s.Forgotten }},
		} {
			s.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: count.help, ConstLabels: labels},
				func() float64 { return float64(count.of(t.rules.Load())) }))
		}
		s.registry.MustRegister(
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "sundew_scoring_lag_records", Help: "Records of the partition that are not scored yet; -1 where the broker does not say.", ConstLabels: labels},
				func() float64 { return float64(t.lag(context.Background())) }),
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "sundew_scoring_entities", Help: "Entities whose state is kept.", ConstLabels: labels},
				func() float64 { return float64(t.entities.Load()) }),
		)
	}
}

// lag is the number of records that wait, or -1.
func (t *task) lag(ctx context.Context) int64 {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	lag, err := t.source.Lag(ctx)
	if err != nil {
		return -1
	}
	return lag
}

// status is what the console shows of the pipeline's health.
func (s *server) status() []dashboards.StatusItem {
	var items []dashboards.StatusItem
	for _, t := range s.tasks {
		item := dashboards.StatusItem{Name: fmt.Sprintf("scoring, partition %d", t.partition), State: "ok"}
		switch lag := t.lag(context.Background()); {
		case lag < 0:
			item.State, item.Detail = "bad", "the broker does not answer"
		case lag > 100_000:
			item.State, item.Detail = "warn", fmt.Sprintf("%d lines wait", lag)
		default:
			item.Detail = fmt.Sprintf("%d lines wait, %d entities remembered", lag, t.entities.Load())
		}
		items = append(items, item)
	}
	items = append(items, dashboards.StatusItem{Name: "blocklist", State: "ok", Detail: fmt.Sprintf("%d decisions in force", s.changes.Active())})
	return items
}
