package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"sundew"
	"sundew/ingest"
	"sundew/store"
)

// recordGroup is the consumer group of all that record to one store.
const recordGroup = "sundew.record"

func runRecord(ctx context.Context, flags *flag.FlagSet, args []string, t terminal) error {
	configFile := flags.String("config", "", "configuration `file`")
	listen := flags.String("listen", "", "`address` of /metrics and /healthz; none by default")
	if _, err := parseFlags(flags, args, 0, 0); err != nil {
		return err
	}
	c, err := loadConfig(*configFile)
	if err != nil {
		return err
	}
	switch {
	case c.Store.ClickHouse.DSN == "":
		return errors.New("record: store.clickhouse.dsn names no ClickHouse: a DuckDB belongs to one process, and `sundew run` writes it")
	case len(c.Kafka.Brokers) == 0:
		return errors.New("record: kafka.brokers names no broker: name those that `sundew run` writes to")
	}
	return recordFromGroup(ctx, c, *listen, t.err)
}

// recordFromGroup copies the partitions that fall to this process, until ctx ends.
func recordFromGroup(ctx context.Context, c Config, listen string, out io.Writer) error {
	log := c.Log.logger(out)
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	set, err := loadRules(c.Rules.Dir)
	if err != nil {
		return err
	}
	privacy, err := openPrivacy(c, set)
	if err != nil {
		return err
	}
	routes, err := ingest.NewRoutes(c.Ingest.Routes, c.Ingest.RoutesOnly, registry)
	if err != nil {
		return err
	}
	history, err := awaitStorage(ctx, &c, registry, log)
	switch {
	case ctx.Err() != nil:
		return nil
	case err != nil:
		return err
	}
	defer closeLogged(log, "store", history)
	if err := ingest.Ping(ctx, c.Kafka); err != nil {
		return err
	}
	r := &recorder{config: c, store: history, routes: routes, privacy: privacy, metrics: ingest.NewMetrics(registry), log: log}

	st, ctx := newStages(ctx)
	defer st.stop()
	components := map[string]func(context.Context) error{"recorder": r.shareOut}
	if listen != "" {
		socket, err := listenOn(ctx, "listen", listen)
		if err != nil {
			return err
		}
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{Registry: registry}))
		mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
		components["http"] = serveHTTP(socket, mux, log)
	}
	st.start(components)
	fmt.Fprintf(out, "sundew %s records.\n", version())
	<-ctx.Done()
	return cause(ctx)
}

// awaitStorage opens the store, and waits for a server that does not answer. It returns ctx's error when ctx ends first.
func awaitStorage(ctx context.Context, c *Config, metrics prometheus.Registerer, log *slog.Logger) (storage, error) {
	for pause := insistFirst; ; pause = min(2*pause, insistLast) {
		s, err := openStorage(ctx, c, metrics, log)
		if err == nil {
			return s, nil
		}
		if ctx.Err() != nil || !errors.Is(err, store.ErrUnreachable) {
			return nil, err
		}
		log.WarnContext(ctx, "no store yet, trying again", "error", err)
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// recorder copies the topics to the store, each from where the store says it ends. While the store is away it waits: the
// broker keeps the lines, and scoring reads them by itself.
type recorder struct {
	config  Config
	store   storage
	routes  *ingest.Routes
	privacy *ingest.Privacy
	metrics *ingest.Metrics // nil where another reader of the topic counts
	log     *slog.Logger
	rest    time.Duration // that a stop may take to come to the end of the log
}

// components copy all partitions.
func (r *recorder) components(partitions int) map[string]func(context.Context) error {
	components := map[string]func(context.Context) error{
		"recorder of decisions": r.recordDecisions, "recorder of dead letters": r.recordDeadLetters,
	}
	for p := range partitions {
		components[fmt.Sprintf("recorder %d", p)] = func(ctx context.Context) error { return r.recordRequests(ctx, int32(p)) }
	}
	return components
}

// shareOut copies the partitions that the group gives to this process. Who has the first one also copies the topics that
// are not divided.
func (r *recorder) shareOut(ctx context.Context) error {
	return ingest.ShareTopic(ctx, r.config.Kafka, recordGroup, ingest.TopicRequests, r.log, func(ctx context.Context, partition int32) error {
		if partition != 0 {
			return r.recordRequests(ctx, partition)
		}
		st, ctx := newStages(ctx)
		defer st.stop()
		st.start(map[string]func(context.Context) error{
			"decisions": r.recordDecisions, "dead letters": r.recordDeadLetters,
			"requests": func(ctx context.Context) error { return r.recordRequests(ctx, partition) },
		})
		<-ctx.Done()
		return cause(ctx)
	})
}

func (r *recorder) recordDecisions(ctx context.Context) error {
	return ingest.FollowDecisions(ctx, r.config.Kafka, r.log, func(ctx context.Context, ds []sundew.Decision, _ bool) error {
		return r.insist(ctx, "decisions", func(ctx context.Context) error { return r.store.Record(ctx, sundew.Batch{}, nil, ds) })
	})
}

func (r *recorder) recordDeadLetters(ctx context.Context) error {
	return ingest.FollowDeadLetters(ctx, r.config.Kafka, r.log, nil, func(ctx context.Context, _ sundew.Position, letters []sundew.DeadLetter) error {
		return r.insist(ctx, "dead letters", func(ctx context.Context) error { return r.store.RecordDeadLetters(ctx, letters) })
	})
}

// recordRequests copies a partition of the requests. When ctx ends nobody writes to the log any more, so it goes on to the
// end of the log as long as it may.
func (r *recorder) recordRequests(ctx context.Context, partition int32) error {
	var next int64
	err := r.insist(ctx, "resume point", func(ctx context.Context) (err error) {
		next, err = r.store.Resume(ctx, partition)
		return err
	})
	if err != nil {
		return err
	}
	if next == 0 {
		next = ingest.LogStart // retention may have taken the first lines before we came
	}
	source, err := ingest.OpenTopic(r.config.Kafka, ingest.TopicRequests, partition, next, ingest.TopicOptions{
		Logger: r.log, Metrics: r.metrics, Routes: r.routes, Privacy: r.privacy, MaxAhead: r.config.Ingest.MaxAhead,
	})
	if err != nil {
		return err
	}
	defer source.Close()
	rest, cancel := lasting(ctx, r.rest)
	defer cancel()
	read := make(chan sundew.Batch, 2)
	failed := make(chan error, 1)
	go func() {
		defer close(read)
		failed <- readAll(ctx, rest, source, read)
	}()
	err = r.recordAll(rest, read)
	if err == nil {
		err = <-failed
	}
	if err != nil && ctx.Err() != nil && r.rest > 0 {
		r.log.WarnContext(ctx, "the end of the log is not in the store yet; the next start goes on there", "partition", partition, "error", err)
		return nil
	}
	return err
}

// lasting returns a context that ends some time after ctx does.
func lasting(ctx context.Context, after time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(after, cancel) })
	return longer, func() { stop(); cancel() }
}

// readAll hands on batches until ctx ends, then until the end of the log or of rest.
func readAll(ctx, rest context.Context, source *ingest.TopicSource, to chan<- sundew.Batch) error {
	for {
		until := ctx
		if ctx.Err() != nil {
			until = rest
			if lag, err := source.Lag(rest); err != nil || lag == 0 {
				return err
			}
		}
		batch, err := source.Next(until)
		if until.Err() != nil {
			continue
		}
		if err != nil {
			return err
		}
		select {
		case to <- batch:
		case <-rest.Done():
			return rest.Err()
		}
	}
}

// recordAll records what was read, until there is no more.
func (r *recorder) recordAll(ctx context.Context, read <-chan sundew.Batch) error {
	forStore := r.config.Ingest.Privacy.ForStore()
	for {
		batch, open := r.gather(ctx, read)
		if !open {
			return nil
		}
		for i := range batch.Events {
			forStore(&batch.Events[i])
		}
		if err := r.insist(ctx, "requests", func(ctx context.Context) error { return r.store.Record(ctx, batch, nil, nil) }); err != nil {
			return err
		}
	}
}

// A ClickHouse makes a part of every insert and merges parts later, so it likes few large ones.
const (
	gatherFor  = time.Second
	gatherRows = 100_000
)

// gather waits for a batch and, for a ClickHouse, joins those that follow it for a while. It returns false when there are
// no more.
func (r *recorder) gather(ctx context.Context, read <-chan sundew.Batch) (sundew.Batch, bool) {
	batch, open := <-read
	if !open || r.config.Store.ClickHouse.DSN == "" {
		return batch, open
	}
	enough := time.NewTimer(gatherFor)
	defer enough.Stop()
	for len(batch.Events) < gatherRows {
		select {
		case more, open := <-read:
			if !open {
				return batch, true
			}
			batch.Events = append(batch.Events, more.Events...)
			batch.Position.Next = more.Position.Next
		case <-enough.C:
			return batch, true
		case <-ctx.Done():
			return batch, true
		}
	}
	return batch, true
}

const (
	insistFirst = 100 * time.Millisecond
	insistLast  = 15 * time.Second
)

// insist repeats what the store refuses, with pauses, until it takes it or ctx ends, whose error it returns. What was cut
// off then comes again from the log.
func (r *recorder) insist(ctx context.Context, what string, do func(context.Context) error) error {
	for pause, failed := insistFirst, false; ; pause = min(2*pause, insistLast) {
		err := do(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil && failed:
			r.log.InfoContext(ctx, "the store takes rows again", "what", what)
			return nil
		case err == nil:
			return nil
		case !failed:
			r.log.ErrorContext(ctx, "the store does not take rows, trying again", "what", what, "error", err)
			failed = true
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}
