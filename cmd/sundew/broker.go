package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"github.com/twmb/franz-go/pkg/kfake"
)

// BrokerConfig is for the broker that sundew run brings along when no other is configured: one node, on loopback, for one
// machine. It speaks the Kafka protocol over TCP and keeps its log on disk.
type BrokerConfig struct {
	// Port on 127.0.0.1.
	Port int `yaml:"port"`
	// Partitions of the topic of requests. Scoring follows each on its own.
	Partitions int `yaml:"partitions"`
	// SyncWrites flushes every batch to the disk before it is acknowledged. Without it, a killed process loses nothing and
	// a power failure may lose the last seconds; with it, writing takes about twice as long.
	SyncWrites bool `yaml:"sync_writes"`
	// RetentionHours is how long the log of requests is kept for replays.
	RetentionHours int `yaml:"retention_hours"`
}

func defaultBrokerConfig() BrokerConfig {
	return BrokerConfig{Port: 29092, Partitions: 1, RetentionHours: 48}
}

func (c BrokerConfig) validate() error {
	switch {
	case c.Port < 0 || c.Port > 65535:
		return fmt.Errorf("broker.port is %d: want 1 to 65535, or 0 for any free one", c.Port)
	case c.Partitions < 1 || c.Partitions > 256:
		return fmt.Errorf("broker.partitions is %d: want 1 to 256", c.Partitions)
	case c.RetentionHours < 1:
		return fmt.Errorf("broker.retention_hours is %d: want at least 1", c.RetentionHours)
	}
	return nil
}

// startBroker opens the embedded broker on dir and returns its address and what closes it.
func startBroker(ctx context.Context, c BrokerConfig, dir string, log *slog.Logger) (address string, closeBroker func(), err error) {
	if err := os.MkdirAll(filepath.Join(dir, "broker"), 0o750); err != nil {
		return "", nil, fmt.Errorf("broker data: %w", err)
	}
	// The library reports a taken port as an error of its own making; asking first gives one with a remedy.
	probe, err := (&net.ListenConfig{}).Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", c.Port))
	if errors.Is(err, syscall.EADDRINUSE) {
		return "", nil, fmt.Errorf("embedded broker: port %d is in use: stop what uses it, set broker.port, or set kafka.brokers to the broker that is there", c.Port)
	}
	if err != nil {
		return "", nil, fmt.Errorf("embedded broker: %w", err)
	}
	if err := probe.Close(); err != nil {
		return "", nil, fmt.Errorf("embedded broker: %w", err)
	}
	options := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.Ports(c.Port),
		kfake.DataDir(filepath.Join(dir, "broker")),
		kfake.BrokerConfigs(map[string]string{"log.retention.ms": fmt.Sprint(int64(c.RetentionHours) * 3_600_000)}),
	}
	if c.SyncWrites {
		options = append(options, kfake.SyncWrites())
	}
	cluster, err := kfake.NewCluster(options...)
	if err != nil {
		return "", nil, fmt.Errorf("embedded broker on %s: %w", filepath.Join(dir, "broker"), err)
	}
	address = cluster.ListenAddrs()[0]
	log.Info("embedded broker is up", "address", address, "sync_writes", c.SyncWrites)
	return address, cluster.Close, nil
}
