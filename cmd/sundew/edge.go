package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/grpc"

	"sundew"
	"sundew/edge"
)

// EdgeConfig is for sundew edge, the enforcement beside the API.
type EdgeConfig struct {
	Listen   string              `yaml:"listen"`  // of the API's clients
	Metrics  string              `yaml:"metrics"` // of Prometheus; empty for none
	Follower edge.FollowerConfig `yaml:"feed"`
	Proxy    edge.ProxyConfig    `yaml:"proxy"`
	Auth     AuthConfig          `yaml:"auth"`
	ExtAuthz edge.ExtAuthzConfig `yaml:"ext_authz"`
	Shipper  edge.ShipperConfig  `yaml:"logs"` // without a URL, nothing is sent
}

// AuthConfig is for gateways that ask about each request over HTTP: nginx, Traefik, Caddy.
type AuthConfig struct {
	Listen string `yaml:"listen"` // empty for none
}

func defaultEdgeConfig() EdgeConfig {
	proxy := edge.DefaultProxyConfig()
	proxy.Upstream = "" // nobody's API is guessed
	return EdgeConfig{
		Listen:   "127.0.0.1:8081",
		Follower: edge.DefaultFollowerConfig(),
		Proxy:    proxy,
		Shipper:  edge.DefaultShipperConfig(),
	}
}

func (c EdgeConfig) validate() error {
	if c.Listen == "" {
		return errors.New("edge.listen is empty: want host:port")
	}
	return nil
}

// ready reports what keeps the edge from starting; sundew run does not need any of it.
func (c EdgeConfig) ready() error {
	if err := c.Follower.Validate(); err != nil {
		return fmt.Errorf("edge.feed: %w", err)
	}
	if c.Proxy.Upstream == "" {
		if err := c.Proxy.GateConfig.Validate(); err != nil {
			return fmt.Errorf("edge.proxy: %w", err)
		}
	} else if err := c.Proxy.Validate(); err != nil {
		return fmt.Errorf("edge.proxy: %w", err)
	}
	if err := c.ExtAuthz.Validate(); err != nil {
		return fmt.Errorf("edge.ext_authz: %w", err)
	}
	if c.Shipper.URL == "" {
		return nil
	}
	if err := c.Shipper.Validate(); err != nil {
		return fmt.Errorf("edge.logs: %w", err)
	}
	return nil
}

func runEdge(ctx context.Context, flags *flag.FlagSet, args []string, t terminal) error {
	configFile := flags.String("config", "", "configuration `file`")
	listen := flags.String("listen", "", "`address` for the API's clients")
	upstream := flags.String("upstream", "", "`URL` of the API")
	auth := flags.String("auth-listen", "", "`address` for gateways that ask about each request: nginx, Traefik, Caddy")
	extAuthz := flags.String("ext-authz-listen", "", "`address` for Envoy's external authorization, gRPC")
	feed := flags.String("feed", "", "`URL` of the sundew whose list is followed")
	keyFile := flags.String("key-file", "", "`file` with the key for the feed")
	publicKeys := flags.String("public-keys", "", "comma-separated `keys` of which one must have signed the list; sundew run shows its own")
	logs := flags.String("logs", "", "`URL` that request logs are sent to; empty for none")
	trusted := flags.String("trusted-proxies", "", "comma-separated `CIDRs` whose X-Forwarded-For is believed")
	dryRun := flags.Bool("dry-run", false, "log what would be done and do nothing")
	if _, err := parseFlags(flags, args, 0, 0); err != nil {
		return err
	}
	config, err := loadConfig(*configFile)
	if err != nil {
		return err
	}
	c := config.Edge
	set(&c.Listen, *listen)
	set(&c.Proxy.Upstream, *upstream)
	set(&c.Auth.Listen, *auth)
	set(&c.ExtAuthz.Listen, *extAuthz)
	set(&c.Follower.URL, *feed)
	set(&c.Shipper.URL, *logs)
	key, err := secretIn(*keyFile)
	if err != nil {
		return fmt.Errorf("key file: %w", err)
	}
	set(&c.Follower.Key, key)
	if *publicKeys != "" {
		c.Follower.PublicKeys = nil
		for text := range strings.SplitSeq(*publicKeys, ",") {
			var key edge.PublicKey
			if err := key.UnmarshalText([]byte(strings.TrimSpace(text))); err != nil {
				return usageError{"edge: --public-keys: " + err.Error()}
			}
			c.Follower.PublicKeys = append(c.Follower.PublicKeys, key)
		}
	}
	if *trusted != "" {
		c.Proxy.TrustedProxies = strings.Split(*trusted, ",")
	}
	c.Proxy.DryRun = c.Proxy.DryRun || *dryRun
	if c.Proxy.Upstream == "" && c.Auth.Listen == "" && c.ExtAuthz.Listen == "" {
		return usageError{"edge: --upstream is missing: the URL of the API to protect, such as http://127.0.0.1:9000; or --auth-listen or --ext-authz-listen for a gateway that asks"}
	}
	if c.Follower.ListFile == "" {
		c.Follower.ListFile = filepath.Join(config.DataDir, "edge", "list.ndjson")
	}
	if err := c.ready(); err != nil {
		return usageError{err.Error()}
	}
	return enforce(ctx, c, config.Log, t)
}

func set(field *string, value string) {
	if value != "" {
		*field = value
	}
}

// enforce serves the API's clients until ctx ends.
func enforce(ctx context.Context, c EdgeConfig, logConfig LogConfig, t terminal) error {
	log := logConfig.logger(t.err)
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector())
	table := edge.NewTable()
	follower := edge.NewFollower(c.Follower, table, registry, log)
	ship := func(sundew.Event) {}
	background := map[string]func(context.Context) error{"feed": follower.Run}
	if c.Shipper.URL != "" {
		shipper := edge.NewShipper(c.Shipper, registry, log)
		ship, background["logs"] = shipper.Ship, shipper.Run
	}
	gate, err := edge.NewGate(c.Proxy.GateConfig, table, registry, ship)
	if err != nil {
		return err
	}
	front, err := openEdge(ctx, c, gate, registry, log)
	if err != nil {
		return err
	}
	st, ctx := newStages(ctx)
	st.start(background)
	st.start(front)
	log.Info("edge is up", "upstream", c.Proxy.Upstream, "feed", c.Follower.URL)
	<-ctx.Done()
	st.stop()
	return cause(ctx)
}

// openEdge binds the sockets that are configured, all or none.
func openEdge(ctx context.Context, c EdgeConfig, gate *edge.Gate, registry *prometheus.Registry, log *slog.Logger) (front map[string]func(context.Context) error, err error) {
	front = map[string]func(context.Context) error{}
	var sockets []net.Listener
	defer func() {
		for _, socket := range sockets {
			if err != nil {
				err = errors.Join(err, socket.Close())
			}
		}
	}()
	open := func(setting, address string) (net.Listener, error) {
		socket, err := listenOn(ctx, setting, address)
		if err == nil {
			sockets = append(sockets, socket)
			log.Info("listening", "for", setting, "address", socket.Addr().String())
		}
		return socket, err
	}
	if c.Proxy.Upstream != "" {
		proxy, err := edge.NewProxy(c.Proxy.Upstream, gate, registry, log)
		if err != nil {
			return nil, err
		}
		socket, err := open("edge.listen", c.Listen)
		if err != nil {
			return nil, err
		}
		front["proxy"] = serveHTTP(socket, proxy, log, manyStreams)
	}
	if c.Auth.Listen != "" {
		socket, err := open("edge.auth", c.Auth.Listen)
		if err != nil {
			return nil, err
		}
		front["auth"] = serveHTTP(socket, gate.ForwardAuth(log), log)
	}
	if c.ExtAuthz.Listen != "" {
		socket, err := open("edge.ext_authz", c.ExtAuthz.Listen)
		if err != nil {
			return nil, err
		}
		front["ext_authz"] = serveGRPC(socket, edge.NewExtAuthz(c.ExtAuthz, gate))
	}
	if c.Metrics != "" {
		socket, err := open("edge.metrics", c.Metrics)
		if err != nil {
			return nil, err
		}
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
		front["metrics"] = serveHTTP(socket, mux, log)
	}
	return front, nil
}

// manyStreams lets a server speak HTTP/2 to clients that know it does, as load balancers do, and bounds what is held of
// each connection.
func manyStreams(s *http.Server) {
	s.Protocols = new(http.Protocols)
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	s.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 250}
	s.ConnContext = edge.ConnContext
}

// serveGRPC serves until its context ends, then lets questions in flight end.
func serveGRPC(socket net.Listener, server *grpc.Server) func(context.Context) error {
	return func(ctx context.Context) error {
		done := make(chan error, 1)
		go func() { done <- server.Serve(socket) }()
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
		}
		hurry := time.AfterFunc(10*time.Second, server.Stop)
		server.GracefulStop()
		hurry.Stop()
		return <-done
	}
}
