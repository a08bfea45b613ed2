package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"sundew"
)

// FollowerConfig says where the list comes from and what of it is believed.
type FollowerConfig struct {
	URL        string          `yaml:"url"`         // of the control plane, such as https://sundew.example:8080
	Key        string          `yaml:"key"`         // the secret whose hash the feed knows
	PublicKeys []PublicKey     `yaml:"public_keys"` // one of them must have signed; empty: signatures are not looked at
	ListFile   string          `yaml:"list_file"`   // the last good list; empty: none is kept
	Allow      []sundew.Entity `yaml:"allow"`       // left alone here, beside what the control plane leaves alone
	Kinds      []string        `yaml:"kinds"`       // ask for these only; empty: all
	Wait       time.Duration   `yaml:"wait"`        // how long the feed may hold a request
	MaxStale   time.Duration   `yaml:"max_stale"`   // without an answer for so long, blocks become tarpits
	MaxEntries int             `yaml:"max_entries"` // a longer list is refused
	MaxBytes   int64           `yaml:"max_bytes"`   // of one answer, decompressed
	FreeGrowth int             `yaml:"free_growth"` // a list longer than this may not double at once
	MinBackoff time.Duration   `yaml:"min_backoff"` // after the first failure; doubles
	MaxBackoff time.Duration   `yaml:"max_backoff"`
	Client     *http.Client    `yaml:"-"` // nil: a client of its own
}

// DefaultFollowerConfig follows the control plane on this machine.
func DefaultFollowerConfig() FollowerConfig {
	return FollowerConfig{
		URL:        "http://127.0.0.1:8080",
		Wait:       30 * time.Second,
		MaxStale:   10 * time.Minute,
		MaxEntries: 2_000_000,
		MaxBytes:   2 << 30,
		FreeGrowth: 10_000,
		MinBackoff: time.Second,
		MaxBackoff: time.Minute,
	}
}

// Validate reports the first setting that cannot be used.
func (c FollowerConfig) Validate() error {
	if u, err := url.Parse(c.URL); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return fmt.Errorf("url %q: want http:// or https:// and a host", c.URL)
	}
	if c.Wait < 0 || c.MaxStale <= 0 || c.MinBackoff <= 0 || c.MaxBackoff < c.MinBackoff {
		return fmt.Errorf("wait %s, max_stale %s, min_backoff %s, max_backoff %s: want positive times, the last not below the one before",
			c.Wait, c.MaxStale, c.MinBackoff, c.MaxBackoff)
	}
	if c.MaxEntries < 1 || c.MaxBytes < 1 || c.FreeGrowth < 0 {
		return fmt.Errorf("max_entries %d, max_bytes %d, free_growth %d: want at least 1, 1 and 0", c.MaxEntries, c.MaxBytes, c.FreeGrowth)
	}
	if len(c.PublicKeys) > maxPublicKeys {
		return fmt.Errorf("%d public keys: want at most %d", len(c.PublicKeys), maxPublicKeys)
	}
	for _, entity := range c.Allow {
		if _, err := canonicalEntity(entity); err != nil {
			return fmt.Errorf("allow: %w", err)
		}
	}
	if _, err := parseFilter(strings.Join(c.Kinds, ","), ""); err != nil {
		return err
	}
	return nil
}

func (c FollowerConfig) withDefaults() FollowerConfig {
	d := DefaultFollowerConfig()
	for _, setting := range []struct{ given, fallback *time.Duration }{
		{&c.Wait, &d.Wait},
		{&c.MaxStale, &d.MaxStale},
		{&c.MinBackoff, &d.MinBackoff},
	} {
		if *setting.given <= 0 {
			*setting.given = *setting.fallback
		}
	}
	c.MaxBackoff = max(c.MaxBackoff, c.MinBackoff)
	if c.MaxEntries < 1 {
		c.MaxEntries = d.MaxEntries
	}
	if c.MaxBytes < 1 {
		c.MaxBytes = d.MaxBytes
	}
	if c.FreeGrowth < 1 {
		c.FreeGrowth = d.FreeGrowth
	}
	if c.Client == nil {
		c.Client = &http.Client{}
	}
	return c
}

const (
	firstJitter  = 5 * time.Second  // spreads the first requests of edges that restart together and have a list
	saveInterval = 30 * time.Second // between two writes of the list file
)

// A Follower keeps a Table equal to the control plane's log. It takes a snapshot, then asks for changes and is answered
// when there are some. What it gets it believes only as a whole and only if it parses, has the count and the checksum
// that come with it, is of a plausible size and does not go back; else the table stays as it is and a new snapshot is
// asked for later. When the control plane does not answer, the last list stays: every decision ends at its own expiry,
// and after MaxStale what is harder than a tarpit becomes one.
type Follower struct {
	FollowerConfig
	table   *Table
	logger  *slog.Logger
	metrics followerMetrics

	answered time.Time       // when the feed last gave an answer that was believed
	issued   time.Time       // the latest signed answer that was believed
	allow    []sundew.Entity // of the control plane
	saved    sundew.Cursor   // what the list file holds
	savedAt  time.Time
}

type followerMetrics struct {
	answers  *prometheus.CounterVec
	refused  *prometheus.CounterVec
	answered prometheus.Gauge
	entries  prometheus.Gauge
}

// NewFollower returns a follower that writes to t. Settings that are not valid take their defaults.
func NewFollower(c FollowerConfig, t *Table, reg prometheus.Registerer, logger *slog.Logger) *Follower {
	f := promauto.With(reg)
	return &Follower{FollowerConfig: c.withDefaults(), table: t, logger: logger, metrics: followerMetrics{
		answers: f.NewCounterVec(prometheus.CounterOpts{
			Name: "sundew_edge_follower_answers_total", Help: "Answers of the feed that were believed, by what they were.",
		}, []string{"answer"}),
		refused: f.NewCounterVec(prometheus.CounterOpts{
			Name: "sundew_edge_follower_refused_total", Help: "Times that no list could be had, or that it was not believed.",
		}, []string{"reason"}),
		answered: f.NewGauge(prometheus.GaugeOpts{
			Name: "sundew_edge_follower_last_answer_timestamp_seconds", Help: "When the feed last gave an answer that was believed.",
		}),
		entries: f.NewGauge(prometheus.GaugeOpts{
			Name: "sundew_edge_follower_decisions", Help: "Decisions in the table.",
		}),
	}}
}

// Run follows the feed until ctx ends. It returns nil.
func (f *Follower) Run(ctx context.Context) error {
	if f.restore(ctx) && !sleep(ctx, rand.N(firstJitter)) {
		return nil
	}
	var failures int
	for ctx.Err() == nil {
		wait, err := f.step(ctx)
		switch {
		case err == nil:
			failures = 0
			f.save(ctx, saveInterval)
		case ctx.Err() != nil:
		default:
			wait = f.backoff(failures)
			failures++
			f.refuse(ctx, err, wait)
		}
		if !sleep(ctx, wait) {
			break
		}
	}
	f.save(context.WithoutCancel(ctx), 0)
	return nil
}

// A refusal is why an answer was not believed.
type refusal struct {
	reason string // fit for a metric label
	err    error
}

// Error returns what was wrong.
func (r *refusal) Error() string { return r.err.Error() }

// Unwrap returns the cause.
func (r *refusal) Unwrap() error { return r.err }

func refused(reason, format string, args ...any) error {
	return &refusal{reason, fmt.Errorf(format, args...)}
}

func (f *Follower) refuse(ctx context.Context, err error, wait time.Duration) {
	reason := "unreachable"
	if r, ok := errors.AsType[*refusal](err); ok {
		reason = r.reason
	}
	f.metrics.refused.WithLabelValues(reason).Inc()
	f.logger.WarnContext(ctx, "list not updated, the last one stays in force",
		"reason", reason, "error", err, "cursor", f.table.Cursor().String(), "retry_in", wait)
}

// backoff doubles with every failure in a row, and is spread so that edges that lost the feed together come back apart.
func (f *Follower) backoff(failures int) time.Duration {
	d := f.MinBackoff
	for range failures {
		if d >= f.MaxBackoff {
			break
		}
		d *= 2
	}
	d = min(d, f.MaxBackoff)
	return d/2 + rand.N(d/2+1)
}

// step gets one answer and puts it in force. It returns how long the feed asks to wait before the next.
func (f *Follower) step(ctx context.Context) (time.Duration, error) {
	if f.table.Cursor() == (sundew.Cursor{}) {
		return 0, f.takeSnapshot(ctx)
	}
	wait, err := f.takeChanges(ctx)
	if errors.Is(err, errReset) {
		f.metrics.answers.WithLabelValues("reset").Inc()
		return 0, f.takeSnapshot(ctx)
	}
	if r, ok := errors.AsType[*refusal](err); ok && r.reason == reasonMismatch {
		f.refuse(ctx, err, 0)
		return 0, f.takeSnapshot(ctx)
	}
	return wait, err
}

// believed notes a good answer.
func (f *Follower) believed(answer string) {
	now := time.Now()
	f.answered = now
	f.table.SetStale(now.Add(f.MaxStale))
	f.metrics.answers.WithLabelValues(answer).Inc()
	f.metrics.answered.Set(float64(now.UnixMilli()) / 1000)
	f.metrics.entries.Set(float64(f.table.Len()))
}

// plausible refuses a list that is too long, or that has doubled at once.
func (f *Follower) plausible(count int) error {
	if count > f.MaxEntries {
		return refused("too_long", "the list has %d decisions, at most %d are believed: raise max_entries if that is right", count, f.MaxEntries)
	}
	if last := f.table.Len(); count > f.FreeGrowth && last > 0 && count > 2*last {
		return refused("doubled", "the list grew from %d to %d decisions at once: raise free_growth if that is right", last, count)
	}
	return nil
}

// sleep returns false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
