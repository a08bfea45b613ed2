package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"sundew"
	"sundew/edge"
	"sundew/ingest"
	"sundew/rules"
	"sundew/store"
)

func runRun(ctx context.Context, flags *flag.FlagSet, args []string, t terminal) error {
	configFile := flags.String("config", "", "configuration `file`")
	demo := flags.Bool("demo", false, "add simulated visitors and attacks, on a data directory of its own")
	listen := flags.String("listen", "", "`address` of console, feed and ingest instead of the configured one")
	if _, err := parseFlags(flags, args, 0, 0); err != nil {
		return err
	}
	c, err := loadConfig(*configFile)
	if err != nil {
		return err
	}
	if *listen != "" {
		c.Listen = *listen
	}
	if *demo && *configFile == "" {
		c.DataDir = filepath.Join(c.DataDir, "demo")
	}
	if err := c.validate(); err != nil {
		return err
	}
	s := &server{config: c, demo: *demo, log: c.Log.logger(t.err), out: t}
	return s.run(ctx)
}

// server is everything in one process. Its parts talk through the broker's topics as they would on many machines: ingest
// writes requests; scoring reads them and writes decisions; the feed and the store read both.
type server struct {
	config Config
	demo   bool
	log    *slog.Logger
	out    terminal

	registry     *prometheus.Registry
	set          *rules.Set
	store        storage
	buffer       *store.Buffer
	producer     *ingest.Producer
	syslog       []*ingest.Syslog
	topicMetrics *ingest.Metrics
	routes       *ingest.Routes
	privacy      *ingest.Privacy
	changes      *edge.Log // what edges are to do
	shown        *edge.Log // the same as analysts see it
	partitions   int
	tasks        []*task
	close        []func()
}

// run starts the parts in the order in which lines flow, backwards, and stops them in the order in which lines flow, so
// that no part is told something it can no longer hand on.
func (s *server) run(ctx context.Context) error {
	defer s.closeAll()
	socket, err := listenOn(ctx, "listen", s.config.Listen)
	if err != nil {
		return err
	}
	s.closing(func() { _ = socket.Close() })
	s.config.Listen = socket.Addr().String()
	if err := s.open(ctx); err != nil {
		return err
	}

	st, ctx := newStages(ctx)
	defer st.stop()
	st.start(map[string]func(context.Context) error{
		"score buffer": s.buffer.Run,
		"changes":      s.changes.Run,
		"producer":     s.producer.Run,
		"retention":    s.store.Run,
	})
	if s.shown != s.changes {
		st.start(map[string]func(context.Context) error{"shown": s.shown.Run})
	}
	caughtUp := make(chan struct{})
	st.start(s.followers(caughtUp))
	select {
	case <-caughtUp:
	case <-ctx.Done():
		return cause(ctx)
	}
	scoringStage, err := s.openTasks()
	if err != nil {
		return err
	}
	st.start(scoringStage)

	// The list is complete here: an edge that asks first gets all of it, never an empty one.
	handler, err := s.handler()
	if err != nil {
		return err
	}
	listeners := map[string]func(context.Context) error{"http": serveHTTP(socket, handler, s.log)}
	for _, source := range s.syslog {
		listeners["syslog "+source.Address()] = source.Run
	}
	st.start(listeners)
	if s.demo {
		st.start(map[string]func(context.Context) error{"demo": s.drive})
	}
	s.greet()

	<-ctx.Done()
	s.log.Info("stopping: finishing what was accepted")
	st.stop()
	return cause(ctx)
}

// open opens what has to be there before anything runs: data directory, rules, store, broker, topics.
func (s *server) open(ctx context.Context) (err error) {
	c := &s.config
	if err := os.MkdirAll(c.DataDir, 0o750); err != nil {
		return fmt.Errorf("data_dir: %w", err)
	}
	s.registry = prometheus.NewRegistry()
	s.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if s.set, err = loadRules(c.Rules.Dir); err != nil {
		return err
	}
	if s.privacy, err = openPrivacy(*c, s.set); err != nil {
		return err
	}
	if s.routes, err = ingest.NewRoutes(c.Ingest.Routes, c.Ingest.RoutesOnly, s.registry); err != nil {
		return err
	}
	if err := s.openSigner(); err != nil {
		return err
	}
	if c.Scoring.Seed, err = deploymentKey(filepath.Join(c.DataDir, "hash.key")); err != nil {
		return err
	}
	if s.store, err = openStorage(ctx, c, s.registry, s.log); err != nil {
		return err
	}
	s.closing(func() { closeLogged(s.log, "store", s.store) })
	if err := s.rememberRules(ctx); err != nil {
		return err
	}
	if len(c.Kafka.Brokers) == 0 {
		address, closeBroker, err := startBroker(ctx, c.Broker, c.DataDir, s.log)
		if err != nil {
			return err
		}
		s.closing(closeBroker)
		c.Kafka.Brokers = []string{address}
	}
	if err := ingest.Ping(ctx, c.Kafka); err != nil {
		return err
	}
	if err := ingest.EnsureTopics(ctx, c.Kafka, c.Broker.Partitions); err != nil {
		return err
	}
	if s.partitions, err = ingest.Partitions(ctx, c.Kafka, ingest.TopicRequests); err != nil {
		return err
	}
	if s.producer, err = ingest.NewProducer(c.Kafka, ingest.ProducerOptions{Logger: s.log, Registerer: s.registry}); err != nil {
		return err
	}
	if err := s.openSyslog(ctx); err != nil {
		return err
	}
	s.topicMetrics = ingest.NewMetrics(s.registry)
	s.buffer = store.NewBuffer(s.store, scoreBuffer, s.registry)
	s.newLists(edge.LogConfig{Allow: s.set.AllowList(time.Now())})
	return nil
}

// openSigner reads the keys that the list is signed with. Without configured ones there is one in the data directory,
// made at the first start.
func (s *server) openSigner() (err error) {
	files := s.config.Feed.SigningKeys
	if len(files) == 0 {
		files = []string{filepath.Join(s.config.DataDir, "feed.pem")}
	}
	if s.config.Feed.Signer, err = edge.LoadSigner(files...); err != nil {
		return fmt.Errorf("feed.signing_keys: %w", err)
	}
	for _, key := range s.config.Feed.Signer.PublicKeys() {
		s.log.Info("the list is signed: edges check it with edge.feed.public_keys", "public_key", key.String())
	}
	return nil
}

// openSyslog binds the sockets of syslog.
func (s *server) openSyslog(ctx context.Context) error {
	for _, c := range s.config.Ingest.Syslog {
		source, err := ingest.OpenSyslog(ctx, c, s.config.Ingest, s.producer, s.registry, s.log)
		if err != nil {
			return err
		}
		s.closing(source.Close)
		s.syslog = append(s.syslog, source)
	}
	return nil
}

// scoreBuffer is how many batches of scores may wait for the store. Analysts lose scores beyond it, the edges nothing.
const scoreBuffer = 256

// followers read the topics for the feed and, where nobody else does, for the store. caughtUp is closed when the feed knows
// every decision that stood in the topic at the start. The feed does not wait for the store.
func (s *server) followers(caughtUp chan<- struct{}) map[string]func(context.Context) error {
	components := map[string]func(context.Context) error{}
	if s.config.Store.Record {
		r := &recorder{config: s.config, store: s.store, routes: s.routes, privacy: s.privacy, log: s.log, rest: recordRest}
		components = r.components(s.partitions)
	}
	components["decisions"] = func(ctx context.Context) error {
		return ingest.FollowDecisions(ctx, s.config.Kafka, s.log, func(ctx context.Context, ds []sundew.Decision, complete bool) error {
			if err := s.publish(ctx, ds); err != nil {
				return err
			}
			if complete {
				s.changes.MarkReady()
				close(caughtUp)
			}
			return nil
		})
	}
	return components
}

// recordRest is how long a stop waits for the store to come to the end of the log.
const recordRest = 10 * time.Second

// publish puts decisions into the list, or into both where what analysts see is not what edges get.
func (s *server) publish(ctx context.Context, ds []sundew.Decision) error {
	if err := s.changes.Publish(ctx, reveal(s.privacy.Addresses(), ds)); err != nil || s.shown == s.changes {
		return err
	}
	return s.shown.Publish(ctx, ds)
}

func (s *server) closing(f func()) { s.close = append(s.close, f) }

func (s *server) closeAll() {
	for _, v := range slices.Backward(s.close) {
		v()
	}
}

func (s *server) greet() {
	fmt.Fprintf(s.out.err, "\nsundew %s is up.\n  console   http://%s/\n  ingest    POST http://%[2]s/ingest/v1/logs   (any access log, gzip, zstd; OTLP at /v1/logs)\n  blocklist http://%[2]s/feed/v1/snapshot.ndjson\n  broker    %s\n  data      %s\n", version(), s.config.Listen, s.config.Kafka.Brokers[0], s.config.DataDir)
	for _, source := range s.syslog {
		fmt.Fprintf(s.out.err, "  syslog    %s\n", source.Address())
	}
	if s.demo {
		fmt.Fprint(s.out.err, "  demo      simulated visitors and attacks; the first decisions come within half a minute\n")
	}
	fmt.Fprint(s.out.err, "Ctrl-C stops it; nothing that was accepted is lost.\n\n")
}

// listenOn binds an address before anything else starts, so that a taken port is the first thing said.
func listenOn(ctx context.Context, setting, address string) (net.Listener, error) {
	socket, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s: %s is in use: stop what uses it, or choose another with --listen", setting, address)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", setting, err)
	}
	return socket, nil
}

// serveHTTP serves until its context ends, then lets requests in flight end. How long a body may take is the handlers'
// affair: streams and long polls must not be cut.
func serveHTTP(socket net.Listener, handler http.Handler, log *slog.Logger, change ...func(*http.Server)) func(context.Context) error {
	return func(ctx context.Context) error {
		// Long polls end with the server: their requests' contexts derive from this one.
		base, cancel := context.WithCancel(context.Background())
		defer cancel()
		server := &http.Server{
			Handler:           handler,
			ReadHeaderTimeout: 5 * time.Second,
			IdleTimeout:       2 * time.Minute,
			MaxHeaderBytes:    32 << 10,
			BaseContext:       func(net.Listener) context.Context { return base },
			ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		}
		for _, f := range change {
			f(server)
		}
		done := make(chan error, 1)
		go func() { done <- server.Serve(socket) }()
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
		}
		grace, stop := context.WithTimeout(context.Background(), 10*time.Second)
		defer stop()
		time.AfterFunc(time.Second, cancel)
		err := server.Shutdown(grace)
		if err != nil {
			err = errors.Join(err, server.Close())
		}
		if served := <-done; !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
		return err
	}
}

// deploymentKey is the secret that keys the hashes of entities. It is made at the first start.
func deploymentKey(path string) (uint64, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		text = make([]byte, 8)
		if _, err := rand.Read(text); err != nil {
			return 0, fmt.Errorf("make %s: %w", path, err)
		}
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		return 0, fmt.Errorf("deployment key: %w", err)
	}
	if len(text) != 8 {
		return 0, fmt.Errorf("deployment key: %s has %d bytes, want 8: restore it, or delete it and the snapshots beside it", path, len(text))
	}
	return binary.LittleEndian.Uint64(text), nil
}

// closeLogged closes what only a log line can be told about.
func closeLogged(log *slog.Logger, name string, c io.Closer) {
	if err := c.Close(); err != nil {
		log.Error("did not close cleanly", "what", name, "error", err)
	}
}
