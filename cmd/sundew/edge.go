package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"sundew"
	"sundew/edge"
)

// EdgeConfig is for sundew edge, the enforcement beside the API.
type EdgeConfig struct {
	Listen   string              `yaml:"listen"`  // of the API's clients
	Metrics  string              `yaml:"metrics"` // of Prometheus; empty for none
	Follower edge.FollowerConfig `yaml:"feed"`
	Proxy    edge.ProxyConfig    `yaml:"proxy"`
	Shipper  edge.ShipperConfig  `yaml:"logs"` // without a URL, nothing is sent
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
	if err := c.Proxy.Validate(); err != nil {
		return fmt.Errorf("edge.proxy: %w", err)
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
	feed := flags.String("feed", "", "`URL` of the sundew whose list is followed")
	keyFile := flags.String("key-file", "", "`file` with the key for the feed")
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
	set(&c.Follower.URL, *feed)
	set(&c.Shipper.URL, *logs)
	key, err := secretIn(*keyFile)
	if err != nil {
		return fmt.Errorf("key file: %w", err)
	}
	set(&c.Follower.Key, key)
	if *trusted != "" {
		c.Proxy.TrustedProxies = strings.Split(*trusted, ",")
	}
	c.Proxy.DryRun = c.Proxy.DryRun || *dryRun
	if c.Proxy.Upstream == "" {
		return usageError{"edge: --upstream is missing: the URL of the API to protect, such as http://127.0.0.1:9000"}
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
	proxy, err := edge.NewProxy(c.Proxy, table, registry, log, ship)
	if err != nil {
		return err
	}
	socket, err := listenOn(ctx, "edge.listen", c.Listen)
	if err != nil {
		return err
	}
	front := map[string]func(context.Context) error{"proxy": serveHTTP(socket, proxy, log)}
	if c.Metrics != "" {
		metrics, err := listenOn(ctx, "edge.metrics", c.Metrics)
		if err != nil {
			return errors.Join(err, socket.Close())
		}
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
		front["metrics"] = serveHTTP(metrics, mux, log)
	}
	st, ctx := newStages(ctx)
	st.start(background)
	st.start(front)
	log.Info("edge is up", "listen", c.Listen, "upstream", c.Proxy.Upstream, "feed", c.Follower.URL)
	<-ctx.Done()
	st.stop()
	return cause(ctx)
}
