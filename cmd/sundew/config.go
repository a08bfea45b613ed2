package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"sundew/edge"
	"sundew/ingest"
	"sundew/rules"
	"sundew/scoring"
)

// Config is the one file of settings; every room owns its part. What the file leaves out keeps its default.
type Config struct {
	// DataDir holds the broker's log, the store, snapshots and the deployment's key.
	DataDir string `yaml:"data_dir"`
	// Listen is the address of console, feed, ingest and metrics.
	Listen string `yaml:"listen"`

	Log     LogConfig             `yaml:"log"`
	Kafka   ingest.KafkaConfig    `yaml:"kafka"` // without brokers, the embedded one
	Broker  BrokerConfig          `yaml:"broker"`
	Ingest  ingest.ListenerConfig `yaml:"ingest"`
	Scoring scoring.Config        `yaml:"scoring"`

	Reputation ReputationConfig `yaml:"reputation"`

	Rules   RulesConfig     `yaml:"rules"`
	Store   StoreConfig     `yaml:"store"`
	Feed    edge.FeedConfig `yaml:"feed"`
	Console ConsoleConfig   `yaml:"console"`
	Edge    EdgeConfig      `yaml:"edge"`
}

// ConsoleConfig says who may open the console, its JSON and the metrics. They have no log-in, so by default nobody but
// this machine may.
type ConsoleConfig struct {
	Allow []netip.Prefix `yaml:"allow"` // networks of other clients
}

// ReputationConfig says where lists of addresses of bad repute are. They are read once, at the start.
type ReputationConfig struct {
	Lists []string `yaml:"lists"` // files; see loadReputation
}

// LogConfig says how the program speaks.
type LogConfig struct {
	Level  slog.Level `yaml:"level"`
	Format string     `yaml:"format"` // text or json
}

// RulesConfig says where the rules come from.
type RulesConfig struct {
	// Dir holds rule, policy and list files; empty means the pack that comes with the program.
	Dir    string       `yaml:"dir"`
	Limits rules.Config `yaml:"limits"`
}

func defaultConfig() Config {
	kafka := ingest.DefaultKafkaConfig()
	kafka.Brokers = nil
	return Config{
		DataDir: "sundew-data",
		Listen:  "127.0.0.1:8080",
		Log:     LogConfig{Level: slog.LevelInfo, Format: "text"},
		Kafka:   kafka,
		Broker:  defaultBrokerConfig(),
		Ingest:  ingest.DefaultListenerConfig(),
		Scoring: scoring.DefaultConfig(),
		Rules:   RulesConfig{Limits: rules.DefaultConfig()},
		Store:   defaultStoreConfig(),
		Feed:    edge.DefaultFeedConfig(),
		Edge:    defaultEdgeConfig(),
	}
}

// loadConfig reads the file over the defaults; an empty path means the defaults.
func loadConfig(path string) (Config, error) {
	c := defaultConfig()
	if path == "" {
		return c, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return c, fmt.Errorf("configuration: %w", err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		return c, fmt.Errorf("configuration:\n%s", yamlProblems(path, err))
	}
	if err := c.validate(); err != nil {
		return c, fmt.Errorf("configuration %s: %w", path, err)
	}
	c.Scoring.Reputation, err = loadReputation(c.Reputation.Lists)
	return c, err
}

func (c Config) validate() error {
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return fmt.Errorf("listen is %q: want host:port, such as 127.0.0.1:8080", c.Listen)
	}
	if c.Log.Format != "text" && c.Log.Format != "json" {
		return fmt.Errorf("log.format is %q: want text or json", c.Log.Format)
	}
	checks := []error{
		c.Broker.validate(), c.Ingest.Validate(), c.Scoring.Validate(), c.Rules.Limits.Validate(),
		c.Store.validate(), c.Feed.Validate(), c.Edge.validate(),
	}
	if len(c.Kafka.Brokers) > 0 {
		checks = append(checks, c.Kafka.Validate())
	}
	return errors.Join(checks...)
}

var (
	yamlLine    = regexp.MustCompile(`^line (\d+): `)
	yamlUnknown = regexp.MustCompile(`field (\S+) not found in type \S+`)
)

// yamlProblems turns the library's messages into one "file:line: what" per line.
func yamlProblems(path string, err error) string {
	messages := []string{strings.TrimPrefix(err.Error(), "yaml: ")}
	if typed, ok := errors.AsType[*yaml.TypeError](err); ok {
		messages = typed.Errors
	}
	for i, m := range messages {
		m = yamlLine.ReplaceAllString(m, path+":$1: ")
		m = yamlUnknown.ReplaceAllString(m, `unknown key "$1": "sundew config" prints the ones there are`)
		if !strings.HasPrefix(m, path) {
			m = path + ": " + m
		}
		messages[i] = m
	}
	return strings.Join(messages, "\n")
}

func (c LogConfig) logger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.Level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

func runConfig(_ context.Context, flags *flag.FlagSet, args []string, t terminal) error {
	path := flags.String("config", "", "configuration `file`")
	if _, err := parseFlags(flags, args, 0, 0); err != nil {
		return err
	}
	c, err := loadConfig(*path)
	if err != nil {
		return err
	}
	for _, secret := range []*string{&c.Edge.Follower.Key, &c.Edge.Shipper.Token} {
		if *secret != "" {
			*secret = "(set, not shown)"
		}
	}
	encoder := yaml.NewEncoder(t.out)
	encoder.SetIndent(2)
	if err := encoder.Encode(c); err != nil {
		return fmt.Errorf("print configuration: %w", err)
	}
	return encoder.Close()
}
